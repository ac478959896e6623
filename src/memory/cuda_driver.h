#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace nereid {

// The driver's functions that moving bytes takes, with the driver's own C signatures (0 is
// success). CUDA's headers are not needed to build this.
struct CudaFunctions {
  using Context = void*;
  using Stream = void*;
  using Address = unsigned long long;  // NOLINT(google-runtime-int): the driver's type
  struct IpcHandle {
    char bytes[64];
  };

  int (*device_get)(int* device, int ordinal) = nullptr;
  int (*primary_context)(Context* context, int device) = nullptr;
  int (*release)(int device) = nullptr;
  int (*push)(Context context) = nullptr;
  int (*pop)(Context* context) = nullptr;
  int (*ipc_open)(Address* address, IpcHandle handle, unsigned flags) = nullptr;
  int (*ipc_close)(Address address) = nullptr;
  int (*address_range)(Address* base, size_t* size, Address address) = nullptr;
  int (*pointer_attribute)(void* value, int attribute, Address address) = nullptr;
  int (*host_register)(void* data, size_t size, unsigned flags) = nullptr;
  int (*host_unregister)(void* data) = nullptr;
  int (*copy)(Address to, Address from, size_t size, Stream stream) = nullptr;
  int (*synchronize)(Stream stream) = nullptr;
  int (*error_name)(int code, const char** name) = nullptr;
};

// What the server itself, as opposed to a backend, does with GPUs: copy bytes, open the memory of
// another process, pin pages. Works in the primary context of each device, which is kept once it
// was needed; each call asks for it anew, since somebody may have reset it. Errors are
// INTERNAL and name the call. Any thread.
class CudaDriver {
 public:
  // The driver of this machine; nullptr where there is none, or no GPU. Looked up once.
  static CudaDriver* Find();
  // Makes Find() return `driver` (nullptr: the machine's own again) from here on: for tests.
  static void ReplaceForTest(CudaDriver* driver);

  CudaDriver(const CudaFunctions& functions, int device_count);
  ~CudaDriver();
  CudaDriver(const CudaDriver&) = delete;
  CudaDriver& operator=(const CudaDriver&) = delete;

  int device_count() const { return static_cast<int>(devices_.size()); }

  struct IpcMemory {
    std::byte* data = nullptr;
    size_t size = 0;  // of the whole allocation
    uint64_t id = 0;  // see IdOf()
  };
  static constexpr size_t kIpcHandleSize = sizeof(CudaFunctions::IpcHandle);
  // Memory that another process allocated on `device`. `handle` has kIpcHandleSize bytes.
  absl::StatusOr<IpcMemory> OpenIpc(int device, std::string_view handle);
  void CloseIpc(int device, std::byte* data);
  // What tells the allocation that holds `data` from all others of this process's life; 0 when
  // there is none, as after a reset of the device.
  uint64_t IdOf(int device, const std::byte* data);

  // Pins pages, so that every device copies straight from and to them.
  absl::Status Pin(int device, void* data, size_t size);
  void Unpin(int device, void* data);

  // Copies between host and devices, in any direction, in the context of `device`; done on return.
  absl::Status Copy(int device, void* to, const void* from, size_t size);

 private:
  struct Device {
    int handle = -1;
    std::atomic<bool> kept{false};  // whether one reference to the context stays
  };
  class Scope;
  absl::Status Check(int code, const char* call) const;

  const CudaFunctions functions_;
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace nereid
