#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "backends/cuda/device/context.h"
#include "common/recent_map.h"

namespace nereid::engine {

class CudnnDescriptor;
struct CudnnPlan;

// cuDNN on one GPU, shared by all engines there, as long as its context: every handle that is made
// and destroyed, and every execution plan that is finalised, leaves memory behind that the library
// does not give back. Any thread; one at a time makes plans or launches: threads must not share a
// handle at the same time, and a plan uses the one it was made with whatever it is executed with.
class Cudnn final : public ContextResource {
 public:
  // Made on first use.
  static absl::StatusOr<Cudnn*> Of(Context& context);
  ~Cudnn() override;
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;

  const CudnnApi& api() const { return *api_; }
  // "cuDNN 91900"
  const std::string& name() const { return name_; }

  // To make graphs and plans with, while Lock() is held.
  cudnnHandle_t handle() const { return handle_; }
  std::unique_lock<std::mutex> Lock() const { return std::unique_lock(mutex_); }
  // Queues a plan's work on the stream.
  absl::Status Execute(const CudnnDescriptor& plan, const CudnnDescriptor& pack,
                       DeviceStream stream) const;

  // Plans by everything they depend on, kept for engines to come.
  using Plans = RecentMap<std::string, std::shared_ptr<const CudnnPlan>>;
  Plans& plans() { return plans_; }

 private:
  Cudnn(const Context& context, const CudnnApi* api);
  absl::Status Open();

  const Context& context_;  // owns this
  const CudnnApi* const api_;
  const std::string name_;
  cudnnHandle_t handle_ = nullptr;
  mutable std::mutex mutex_;  // the handle carries the stream of the next call
  Plans plans_{0};
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
