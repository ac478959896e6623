#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/cuda/device/cuda_api.h"
#include "backends/cuda/device/cuda_loss.h"
#include "backends/cuda/device/device_op.h"

namespace nereid::engine {

// Number of GPUs. UNAVAILABLE "no CUDA device" without any.
absl::StatusOr<int> DeviceCount();

// Context::fingerprint() of a GPU, which need not have a context.
absl::StatusOr<std::string> DeviceFingerprint(int ordinal);

// What is made once for a context, for all its users, and goes with it: a library's handle.
// Destroyed while the context is current; when that is lost, no call that works in it may be made
// any more.
class ContextResource {
 public:
  virtual ~ContextResource() = default;
};

// One GPU and its primary context, held while this lives. Shared by everything that works on the
// GPU; what allocates there keeps a shared_ptr. Any thread.
//
// Whoever meets an error asks IsLost(). Contexts that are lost can be destroyed, with everything in
// them, and nothing else.
//
// A context that holds resources stays, without users, until the process ends: what libraries make
// for a context and give back leaves something behind every time.
class Context : public std::enable_shared_from_this<Context> {
 public:
  // UNAVAILABLE, as CudaLost() says, once a context was lost.
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

  // The resource of that name; `make` makes it when there is none, others who want it wait. Its
  // error is not kept. As long as the context.
  using MakeResource = std::function<absl::StatusOr<std::unique_ptr<ContextResource>>()>;
  absl::StatusOr<ContextResource*> Resource(const std::string& name, const MakeResource& make);

  // Whether the context, and with it all others, has been found lost. Costs nothing.
  bool lost() const { return !offline() && IsCudaLost(); }
  // Finds out, after an error of any call: waits for `stream`, whose answer is final.
  bool IsLost(DeviceStream stream);

 private:
  Context() = default;
  absl::Status Open(const CudaApi* api, int ordinal);
  absl::Status Describe();  // all but the context itself
  friend absl::StatusOr<std::string> DeviceFingerprint(int ordinal);

  struct Slot {
    std::mutex mutex;
    std::unique_ptr<ContextResource> resource;  // guarded by mutex
  };

  std::mutex resources_mutex_;
  std::map<std::string, Slot> resources_;  // guarded by resources_mutex_; slots stay
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
