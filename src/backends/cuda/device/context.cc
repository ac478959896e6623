#include "backends/cuda/device/context.h"

#include <cstdlib>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Code for the "a" variants runs on no other architecture, and may use everything this one has.
std::string ArchOf(int capability) {
  return StrCat("sm_", capability, capability == 90 || capability == 100 ? "a" : "");
}

}  // namespace

absl::StatusOr<int> DeviceCount() {
  NEREID_ASSIGN_OR_RETURN(const CudaApi* api, LoadCuda());
  int count = 0;
  NEREID_RETURN_IF_ERROR(CudaStatus(api->cuDeviceGetCount(&count), "cuDeviceGetCount"));
  return count;
}

absl::StatusOr<std::shared_ptr<Context>> Context::Create(int ordinal) {
  NEREID_ASSIGN_OR_RETURN(const CudaApi* api, LoadCuda());
  NEREID_ASSIGN_OR_RETURN(const int count, DeviceCount());
  if (ordinal < 0 || ordinal >= count) {
    return absl::NotFoundError(StrCat("no CUDA device ", ordinal, ": the machine has ", count));
  }
  std::shared_ptr<Context> made(new Context);
  Context& c = *made;
  c.api_ = api;
  c.ordinal_ = ordinal;
  NEREID_RETURN_IF_ERROR(CudaStatus(api->cuDeviceGet(&c.device_, ordinal), "cuDeviceGet"));
  const auto attribute = [&](CUdevice_attribute which) {
    int value = 0;
    return api->cuDeviceGetAttribute(&value, which, c.device_) == CUDA_SUCCESS ? value : 0;
  };
  char name[256] = "";
  NEREID_RETURN_IF_ERROR(
      CudaStatus(api->cuDeviceGetName(name, sizeof(name), c.device_), "cuDeviceGetName"));
  c.name_ = name;
  c.capability_ = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) * 10 +
                  attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  c.arch_ = ArchOf(c.capability_);
  c.multiprocessors_ = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  c.max_shared_bytes_ =
      static_cast<size_t>(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
  NEREID_RETURN_IF_ERROR(
      CudaStatus(api->cuDeviceTotalMem(&c.total_bytes_, c.device_), "cuDeviceTotalMem"));
  NEREID_RETURN_IF_ERROR(CudaStatus(api->cuDevicePrimaryCtxRetain(&c.context_, c.device_),
                                    "cuDevicePrimaryCtxRetain"));
  NEREID_RETURN_IF_ERROR(c.Bind());
  return made;
}

std::shared_ptr<Context> Context::CreateOffline(std::string arch) {
  std::shared_ptr<Context> made(new Context);
  made->name_ = StrCat("no device, compiling for ", arch);
  made->capability_ = std::atoi(arch.substr(3).c_str());
  made->arch_ = std::move(arch);
  // As on most GPUs of data centres.
  made->multiprocessors_ = 132;
  made->max_shared_bytes_ = made->capability_ >= 90 ? 227 << 10 : 163 << 10;
  return made;
}

Context::~Context() {
  if (context_ != nullptr) api_->cuDevicePrimaryCtxRelease(device_);
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
