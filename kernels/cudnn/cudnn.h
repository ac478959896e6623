#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "backends/cuda/device/context.h"

namespace nereid::engine {

// A handle of cuDNN. It carries the stream of the next call, so calls that queue work take turns:
// hold lock() around cudnnSetStream and what follows.
class Cudnn {
 public:
  static absl::StatusOr<std::unique_ptr<Cudnn>> Create(std::shared_ptr<Context> context);
  ~Cudnn();
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;

  const CudnnApi& api() const { return *api_; }
  cudnnHandle_t handle() const { return handle_; }
  std::unique_lock<std::mutex> lock() const { return std::unique_lock(mutex_); }

 private:
  Cudnn(std::shared_ptr<Context> context, const CudnnApi* api, cudnnHandle_t handle)
      : context_(std::move(context)), api_(api), handle_(handle) {}

  const std::shared_ptr<Context> context_;
  const CudnnApi* const api_;
  const cudnnHandle_t handle_;
  mutable std::mutex mutex_;
};

// Owns a descriptor of cuDNN's backend interface.
class CudnnDescriptor {
 public:
  static absl::StatusOr<CudnnDescriptor> Create(const CudnnApi& api,
                                                cudnnBackendDescriptorType_t type);
  CudnnDescriptor() = default;
  CudnnDescriptor(CudnnDescriptor&& other) noexcept
      : api_(other.api_), descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept {
    std::swap(api_, other.api_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~CudnnDescriptor();

  cudnnBackendDescriptor_t get() const { return descriptor_; }
  absl::Status Set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                   int64_t count, const void* values);
  // One value.
  template <typename T>
  absl::Status Set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, T value) {
    return Set(name, type, 1, &value);
  }
  absl::Status Set(cudnnBackendAttributeName_t name, const CudnnDescriptor& value) {
    return Set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.descriptor_);
  }
  absl::Status Finalize();
  absl::StatusOr<int64_t> GetInt(cudnnBackendAttributeName_t name) const;

 private:
  CudnnDescriptor(const CudnnApi* api, cudnnBackendDescriptor_t descriptor)
      : api_(api), descriptor_(descriptor) {}

  const CudnnApi* api_ = nullptr;
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

}  // namespace nereid::engine
