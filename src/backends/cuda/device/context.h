#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/cuda/device/cuda_api.h"

namespace nereid::engine {

// Number of GPUs. UNAVAILABLE "no CUDA device" without any.
absl::StatusOr<int> DeviceCount();

// One GPU and its primary context, held while this lives. Shared by everything that works on the
// GPU; what allocates there keeps a shared_ptr. Any thread.
class Context {
 public:
  static absl::StatusOr<std::shared_ptr<Context>> Create(int ordinal);
  // Stands for a GPU of that architecture on a machine without one: kernels can be compiled for it,
  // nothing can be run or allocated.
  static std::shared_ptr<Context> CreateOffline(std::string arch);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  bool offline() const { return api_ == nullptr; }
  const CudaApi& api() const { return *api_; }  // not when offline
  int ordinal() const { return ordinal_; }
  const std::string& name() const { return name_; }
  // "sm_80", "sm_90a": what kernels are compiled for.
  const std::string& arch() const { return arch_; }
  int compute_capability() const { return capability_; }  // 80, 90, …
  int multiprocessors() const { return multiprocessors_; }
  size_t max_shared_bytes() const { return max_shared_bytes_; }  // of one block, opted in
  size_t total_bytes() const { return total_bytes_; }

  // Makes the context current on the calling thread; every thread that uses the GPU calls it once.
  absl::Status Bind() const;
  absl::StatusOr<size_t> FreeBytes() const;
  // Waits for everything on the device.
  absl::Status Synchronize() const;

 private:
  Context() = default;

  const CudaApi* api_ = nullptr;
  int ordinal_ = 0;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  std::string name_;
  std::string arch_;
  int capability_ = 0;
  int multiprocessors_ = 0;
  size_t max_shared_bytes_ = 0;
  size_t total_bytes_ = 0;
};

}  // namespace nereid::engine
