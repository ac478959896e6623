#include "backends/cuda/device/context.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Code for the "a" variants runs on no other architecture, and may use everything this one has.
std::string ArchOf(int capability) {
  return StrCat("sm_", capability, capability == 90 || capability == 100 ? "a" : "");
}

// The contexts of this process, one for each GPU at a time.
struct Contexts {
  struct Slot {
    std::weak_ptr<Context> context;
    std::shared_ptr<Context> kept;  // once it holds resources
  };
  std::mutex mutex;
  std::map<int, Slot> slots;  // by ordinal; guarded by mutex
};

Contexts& TheContexts() {
  static Contexts& contexts = *new Contexts;
  return contexts;
}

// Whether a context cannot be made for good. Others may use the GPU, or nobody may.
bool EndsProcess(CUresult retained) {
  return IsFatal(retained) && retained != CUDA_ERROR_NO_DEVICE &&
         retained != CUDA_ERROR_DEVICE_UNAVAILABLE && retained != CUDA_ERROR_UNKNOWN;
}

}  // namespace

absl::StatusOr<int> DeviceCount() {
  NEREID_ASSIGN_OR_RETURN(const CudaApi* api, LoadCuda());
  int count = 0;
  NEREID_RETURN_IF_ERROR(CudaStatus(api->cuDeviceGetCount(&count), "cuDeviceGetCount"));
  return count;
}

absl::StatusOr<std::string> DeviceFingerprint(int ordinal) {
  Context device;
  NEREID_ASSIGN_OR_RETURN(device.api_, LoadCuda());
  device.ordinal_ = ordinal;
  NEREID_RETURN_IF_ERROR(device.Describe());
  return device.fingerprint_;
}

absl::StatusOr<std::shared_ptr<Context>> Context::Create(int ordinal) {
  NEREID_ASSIGN_OR_RETURN(const CudaApi* api, LoadCuda());
  NEREID_RETURN_IF_ERROR(CudaLost());
  NEREID_ASSIGN_OR_RETURN(const int count, DeviceCount());
  if (ordinal < 0 || ordinal >= count) {
    return absl::NotFoundError(StrCat("no CUDA device ", ordinal, ": the machine has ", count));
  }
  std::shared_ptr<Context> context;  // let go of without the lock
  const std::lock_guard lock(TheContexts().mutex);
  std::weak_ptr<Context>& known = TheContexts().slots[ordinal].context;
  context = known.lock();
  if (context == nullptr) {
    context.reset(new Context);
    NEREID_RETURN_IF_ERROR(context->Open(api, ordinal));
    known = context;
  }
  NEREID_RETURN_IF_ERROR(context->Bind());
  // It may have been lost without anybody having noticed.
  size_t available = 0, total = 0;
  const CUresult result = api->cuMemGetInfo(&available, &total);
  if (IsFatal(result)) SetCudaLost(ordinal, result, "cuMemGetInfo");
  NEREID_RETURN_IF_ERROR(CudaLost());
  NEREID_RETURN_IF_ERROR(CudaStatus(result, "cuMemGetInfo"));
  return context;
}

absl::Status Context::Open(const CudaApi* api, int ordinal) {
  api_ = api;
  ordinal_ = ordinal;
  NEREID_RETURN_IF_ERROR(Describe());
  const CUresult retained = api->cuDevicePrimaryCtxRetain(&context_, device_);
  if (EndsProcess(retained)) SetCudaLost(ordinal, retained, "cuDevicePrimaryCtxRetain");
  NEREID_RETURN_IF_ERROR(CudaLost());
  return CudaStatus(retained, "cuDevicePrimaryCtxRetain");
}

absl::Status Context::Describe() {
  const CudaApi* const api = api_;
  NEREID_RETURN_IF_ERROR(CudaStatus(api->cuDeviceGet(&device_, ordinal_), "cuDeviceGet"));
  const auto attribute = [&](CUdevice_attribute which) {
    int value = 0;
    return api->cuDeviceGetAttribute(&value, which, device_) == CUDA_SUCCESS ? value : 0;
  };
  char name[256] = "";
  NEREID_RETURN_IF_ERROR(
      CudaStatus(api->cuDeviceGetName(name, sizeof(name), device_), "cuDeviceGetName"));
  name_ = name;
  capability_ = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) * 10 +
                attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  arch_ = ArchOf(capability_);
  multiprocessors_ = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  max_shared_bytes_ =
      static_cast<size_t>(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
  NEREID_RETURN_IF_ERROR(
      CudaStatus(api->cuDeviceTotalMem(&total_bytes_, device_), "cuDeviceTotalMem"));
  int driver = 0;
  NEREID_RETURN_IF_ERROR(CudaStatus(api->cuDriverGetVersion(&driver), "cuDriverGetVersion"));
  fingerprint_ = StrCat(name_, ", ", arch_, ", ", multiprocessors_, " multiprocessors, ",
                        attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE), " bytes of L2, memory at ",
                        attribute(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE), " kHz, driver ", driver);
  return absl::OkStatus();
}

std::shared_ptr<Context> Context::CreateOffline(std::string arch) {
  std::shared_ptr<Context> made(new Context);
  made->name_ = StrCat("no device, compiling for ", arch);
  made->fingerprint_ = made->name_;
  made->capability_ = std::atoi(arch.substr(3).c_str());
  made->arch_ = std::move(arch);
  // As on most GPUs of data centres.
  made->multiprocessors_ = 132;
  made->max_shared_bytes_ = made->capability_ >= 90 ? 227 << 10 : 163 << 10;
  return made;
}

Context::~Context() {
  if (context_ == nullptr) return;
  if (!lost()) api_->cuCtxSetCurrent(context_);
  resources_.clear();
  if (!lost()) api_->cuDevicePrimaryCtxRelease(device_);
}

bool Context::IsLost(DeviceStream stream) {
  if (offline() || lost()) return lost();
  const CUresult bound = api_->cuCtxSetCurrent(context_);
  const CUresult result =
      bound == CUDA_SUCCESS ? api_->cuStreamSynchronize(static_cast<CUstream>(stream)) : bound;
  if (IsFatal(result)) SetCudaLost(ordinal_, result, "cuStreamSynchronize");
  return lost();
}

absl::StatusOr<ContextResource*> Context::Resource(const std::string& name,
                                                   const MakeResource& make) {
  Slot* slot = nullptr;
  {
    const std::lock_guard lock(resources_mutex_);
    slot = &resources_[name];
  }
  const std::lock_guard making(slot->mutex);
  if (slot->resource != nullptr) return slot->resource.get();
  NEREID_RETURN_IF_ERROR(Bind());
  NEREID_ASSIGN_OR_RETURN(slot->resource, make());
  const std::lock_guard lock(TheContexts().mutex);
  if (!offline()) TheContexts().slots[ordinal_].kept = shared_from_this();
  return slot->resource.get();
}

absl::Status Context::Bind() const {
  if (offline()) return absl::OkStatus();
  return CudaStatus(api_->cuCtxSetCurrent(context_), "cuCtxSetCurrent");
}

absl::StatusOr<size_t> Context::FreeBytes() const {
  if (offline()) return absl::UnavailableError("no CUDA device");
  NEREID_RETURN_IF_ERROR(Bind());
  size_t available = 0, total = 0;
  NEREID_RETURN_IF_ERROR(CudaStatus(api_->cuMemGetInfo(&available, &total), "cuMemGetInfo"));
  return available;
}

absl::Status Context::Synchronize() const {
  if (offline()) return absl::UnavailableError("no CUDA device");
  NEREID_RETURN_IF_ERROR(Bind());
  return CudaStatus(api_->cuCtxSynchronize(), "cuCtxSynchronize");
}

}  // namespace nereid::engine
