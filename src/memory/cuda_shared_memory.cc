#include "memory/cuda_shared_memory.h"

#include "common/log.h"
#include "common/strings.h"
#include "memory/cuda_driver.h"

namespace nereid {
namespace {

absl::Status CannotOpen(std::string_view region, std::string_view why) {
  NVLOG(1) << "CUDA shared memory region '" << region << "' is refused: " << why;
  return absl::InvalidArgumentError("failed to register shared memory region: invalid args");
}

}  // namespace

absl::StatusOr<std::shared_ptr<CudaSharedMemory>> CudaSharedMemory::Open(std::string_view region,
                                                                         std::string_view handle,
                                                                         int64_t device,
                                                                         uint64_t byte_size) {
  CudaDriver* driver = CudaDriver::Find();
  if (driver == nullptr) {
    return absl::InvalidArgumentError(
        StrCat("failed to register CUDA shared memory region: '", region, "', GPUs not supported"));
  }
  if (handle.size() != CudaDriver::kIpcHandleSize) {
    return absl::InvalidArgumentError(
        "'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t");
  }
  if (device < 0 || device >= driver->device_count()) {
    return CannotOpen(region, StrCat("there is no CUDA device ", device));
  }
  const int ordinal = static_cast<int>(device);
  const absl::StatusOr<CudaDriver::IpcMemory> memory = driver->OpenIpc(ordinal, handle);
  if (!memory.ok()) return CannotOpen(region, Message(memory.status()));
  std::shared_ptr<CudaSharedMemory> mapping(
      new CudaSharedMemory(driver, ordinal, memory->data, byte_size, memory->id));
  if (byte_size == 0 || byte_size > memory->size) {
    return CannotOpen(region, StrCat(memory->size, " bytes are behind the handle"));
  }
  return mapping;
}

CudaSharedMemory::~CudaSharedMemory() {
  if (!broken()) driver_->CloseIpc(device_, data());
}

bool CudaSharedMemory::broken() const { return id_ != 0 && driver_->IdOf(device_, data()) != id_; }

}  // namespace nereid
