#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/cuda/device/cuda_api.h"
#include "backends/cuda/device/device_op.h"

namespace nereid::engine {

// Number of GPUs. UNAVAILABLE "no CUDA device" without any.
absl::StatusOr<int> DeviceCount();

// One GPU and its primary context, held while this lives. Shared by everything that works on the
// GPU; what allocates there keeps a shared_ptr. Any thread.
//
// Some errors (an illegal address, a failed launch) are fatal to the context: from then on every
// call in it fails, for all its users, and all its memory is lost. Whoever meets an error asks
// IsLost(). When the last user of a lost context has let go, the context is reset, and the next
// Create() gets a new one; in between Create() fails. The driver calls such a process inconsistent:
// where a reset does not help, Create() goes on failing, and only a new process does.
class Context {
 public:
  // UNAVAILABLE while a lost context of that GPU still has users.
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
  // All that the speed of device work depends on, in words, and the driver's version at the end:
  // "NVIDIA H200, sm_90a, 132 multiprocessors, …, driver 13000".
  const std::string& fingerprint() const { return fingerprint_; }

  // Makes the context current on the calling thread; every thread that uses the GPU calls it once.
  absl::Status Bind() const;
  absl::StatusOr<size_t> FreeBytes() const;
  // Waits for everything on the device.
  absl::Status Synchronize() const;

  // Whether the context has been found lost. Costs nothing.
  bool lost() const { return lost_.load(std::memory_order_acquire); }
  // Finds out, after an error of any call: waits for `stream`, whose answer is final.
  bool IsLost(DeviceStream stream);

 private:
  Context() = default;
  absl::Status Open(const CudaApi* api, int ordinal);

  std::atomic<bool> lost_{false};
  const CudaApi* api_ = nullptr;
  int ordinal_ = 0;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  std::string name_;
  std::string arch_;
  std::string fingerprint_;
  int capability_ = 0;
  int multiprocessors_ = 0;
  size_t max_shared_bytes_ = 0;
  size_t total_bytes_ = 0;
};

}  // namespace nereid::engine
