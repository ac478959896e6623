#include "backends/cuda/device/pinned_memory.h"

#include <utility>

#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<PinnedMemory> PinnedMemory::Allocate(std::shared_ptr<Context> context,
                                                    size_t bytes) {
  if (context->offline()) return absl::UnavailableError("no CUDA device");
  NEREID_RETURN_IF_ERROR(context->Bind());
  PinnedMemory memory;
  memory.context_ = context;
  if (bytes > 0) {
    NEREID_RETURN_IF_ERROR(
        CudaStatus(context->api().cuMemHostAlloc(
                       &memory.data_, bytes, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP),
                   "cuMemHostAlloc"));
    CUdeviceptr address = 0;
    NEREID_RETURN_IF_ERROR(
        CudaStatus(context->api().cuMemHostGetDevicePointer(&address, memory.data_, 0),
                   "cuMemHostGetDevicePointer"));
    memory.device_address_ = address;
  }
  memory.size_ = bytes;
  return memory;
}

PinnedMemory& PinnedMemory::operator=(PinnedMemory&& other) noexcept {
  if (this != &other) {
    Release();
    context_ = std::move(other.context_);
    data_ = std::exchange(other.data_, nullptr);
    device_address_ = std::exchange(other.device_address_, 0);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void PinnedMemory::Release() {
  if (data_ != nullptr) {
    (void)context_->Bind();
    context_->api().cuMemFreeHost(data_);
  }
  data_ = nullptr;
  device_address_ = 0;
  size_ = 0;
  context_.reset();
}

}  // namespace nereid::engine
