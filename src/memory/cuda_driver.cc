#include "memory/cuda_driver.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "memory/gpu_library.h"

namespace nereid {
namespace {

// CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS, CU_MEMHOSTREGISTER_PORTABLE and CU_STREAM_PER_THREAD of the
// driver API. The thread's own stream waits for nobody else's work.
constexpr unsigned kEnablePeerAccess = 1;
constexpr unsigned kPortable = 1;
constexpr int kBufferId = 7;  // CU_POINTER_ATTRIBUTE_BUFFER_ID
CudaFunctions::Stream ThreadStream() { return reinterpret_cast<CudaFunctions::Stream>(2); }

CudaFunctions::Address AddressOf(const void* data) {
  return static_cast<CudaFunctions::Address>(reinterpret_cast<uintptr_t>(data));
}

struct Library {
  void* handle;

  template <typename F>
  bool Get(const char* symbol, F* out) const {
    *out = reinterpret_cast<F>(dlsym(handle, symbol));
    return *out != nullptr;
  }
};

bool Load(const Library& library, CudaFunctions& f) {
  return library.Get("cuDeviceGet", &f.device_get) &&
         library.Get("cuDevicePrimaryCtxRetain", &f.primary_context) &&
         library.Get("cuDevicePrimaryCtxRelease_v2", &f.release) &&
         library.Get("cuCtxPushCurrent_v2", &f.push) && library.Get("cuCtxPopCurrent_v2", &f.pop) &&
         library.Get("cuIpcOpenMemHandle_v2", &f.ipc_open) &&
         library.Get("cuIpcCloseMemHandle", &f.ipc_close) &&
         library.Get("cuMemGetAddressRange_v2", &f.address_range) &&
         library.Get("cuPointerGetAttribute", &f.pointer_attribute) &&
         library.Get("cuMemHostRegister_v2", &f.host_register) &&
         library.Get("cuMemHostUnregister", &f.host_unregister) &&
         library.Get("cuMemcpyAsync", &f.copy) &&
         library.Get("cuStreamSynchronize", &f.synchronize) &&
         library.Get("cuGetErrorName", &f.error_name);
}

std::unique_ptr<CudaDriver> OpenDriver() {
  const Library library{dlopen(GpuLibraryPath("libcuda.so.1").c_str(), RTLD_NOW | RTLD_LOCAL)};
  if (library.handle == nullptr) return nullptr;
  int (*init)(unsigned) = nullptr;
  int (*device_count)(int*) = nullptr;
  CudaFunctions functions;
  int count = 0;
  const bool works = library.Get("cuInit", &init) &&
                     library.Get("cuDeviceGetCount", &device_count) && Load(library, functions) &&
                     init(0) == 0 && device_count(&count) == 0 && count > 0;
  return works ? std::make_unique<CudaDriver>(functions, count) : nullptr;
}

std::atomic<CudaDriver*> replacement{nullptr};

}  // namespace

// Makes a device's context current on this thread.
class CudaDriver::Scope {
 public:
  static absl::StatusOr<Scope> Enter(CudaDriver& driver, int device) {
    if (device < 0 || device >= driver.device_count()) {
      return absl::InvalidArgumentError(StrCat("there is no CUDA device ", device));
    }
    Device& entry = *driver.devices_[static_cast<size_t>(device)];
    CudaFunctions::Context context = nullptr;
    NEREID_RETURN_IF_ERROR(driver.Check(driver.functions_.primary_context(&context, entry.handle),
                                        "cuDevicePrimaryCtxRetain"));
    const absl::Status pushed = driver.Check(driver.functions_.push(context), "cuCtxPushCurrent");
    if (!pushed.ok()) {
      driver.functions_.release(entry.handle);
      return pushed;
    }
    return Scope(&driver, &entry);
  }
  Scope(Scope&& other) noexcept
      : driver_(std::exchange(other.driver_, nullptr)), device_(other.device_) {}
  Scope& operator=(Scope&&) = delete;
  ~Scope() {
    if (driver_ == nullptr) return;
    CudaFunctions::Context popped = nullptr;
    driver_->functions_.pop(&popped);
    if (device_->kept.exchange(true)) driver_->functions_.release(device_->handle);
  }

 private:
  Scope(CudaDriver* driver, Device* device) : driver_(driver), device_(device) {}
  CudaDriver* driver_;
  Device* device_;
};

CudaDriver* CudaDriver::Find() {
  if (CudaDriver* driver = replacement.load(std::memory_order_acquire)) return driver;
  // Never destroyed: the driver may be gone before this process's last objects are.
  static CudaDriver* const driver = OpenDriver().release();
  return driver;
}

void CudaDriver::ReplaceForTest(CudaDriver* driver) {
  replacement.store(driver, std::memory_order_release);
}

CudaDriver::CudaDriver(const CudaFunctions& functions, int device_count) : functions_(functions) {
  for (int i = 0; i < device_count; ++i) {
    devices_.push_back(std::make_unique<Device>());
    // A device without a handle fails when its context is asked for.
    if (functions_.device_get(&devices_.back()->handle, i) != 0) devices_.back()->handle = -1;
  }
}

CudaDriver::~CudaDriver() = default;

absl::Status CudaDriver::Check(int code, const char* call) const {
  if (code == 0) return absl::OkStatus();
  const char* name = nullptr;
  functions_.error_name(code, &name);
  return absl::InternalError(StrCat(call, ": ", name == nullptr ? "unknown error" : name));
}

absl::StatusOr<CudaDriver::IpcMemory> CudaDriver::OpenIpc(int device, std::string_view handle) {
  CudaFunctions::IpcHandle ipc{};
  if (handle.size() != sizeof(ipc.bytes)) {
    return absl::InvalidArgumentError("a memory handle has 64 bytes");
  }
  std::memcpy(ipc.bytes, handle.data(), sizeof(ipc.bytes));
  NEREID_ASSIGN_OR_RETURN(const Scope scope, Scope::Enter(*this, device));
  CudaFunctions::Address address = 0;
  NEREID_RETURN_IF_ERROR(
      Check(functions_.ipc_open(&address, ipc, kEnablePeerAccess), "cuIpcOpenMemHandle"));
  CudaFunctions::Address base = 0;
  size_t size = 0;
  const absl::Status known =
      Check(functions_.address_range(&base, &size, address), "cuMemGetAddressRange");
  if (!known.ok()) {
    functions_.ipc_close(address);
    return known;
  }
  auto* data = reinterpret_cast<std::byte*>(static_cast<uintptr_t>(address));
  return IpcMemory{data, size - static_cast<size_t>(address - base), IdOf(device, data)};
}

void CudaDriver::CloseIpc(int device, std::byte* data) {
  const auto scope = Scope::Enter(*this, device);
  if (scope.ok()) functions_.ipc_close(AddressOf(data));
}

uint64_t CudaDriver::IdOf(int device, const std::byte* data) {
  const auto scope = Scope::Enter(*this, device);
  uint64_t id = 0;
  if (!scope.ok() || functions_.pointer_attribute(&id, kBufferId, AddressOf(data)) != 0) return 0;
  return id;
}

absl::Status CudaDriver::Pin(int device, void* data, size_t size) {
  NEREID_ASSIGN_OR_RETURN(const Scope scope, Scope::Enter(*this, device));
  return Check(functions_.host_register(data, size, kPortable), "cuMemHostRegister");
}

void CudaDriver::Unpin(int device, void* data) {
  const auto scope = Scope::Enter(*this, device);
  if (scope.ok()) functions_.host_unregister(data);
}

absl::Status CudaDriver::Copy(int device, void* to, const void* from, size_t size) {
  if (size == 0) return absl::OkStatus();
  NEREID_ASSIGN_OR_RETURN(const Scope scope, Scope::Enter(*this, device));
  NEREID_RETURN_IF_ERROR(Check(
      functions_.copy(AddressOf(to), AddressOf(from), size, ThreadStream()), "cuMemcpyAsync"));
  return Check(functions_.synchronize(ThreadStream()), "cuStreamSynchronize");
}

}  // namespace nereid
