#include "backends/cuda/device/device_memory.h"

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {

size_t BytesTaken(size_t bytes) {
  constexpr size_t kSmallUnit = 512, kPage = size_t{2} << 20;
  const size_t unit = bytes < kPage / 2 ? kSmallUnit : kPage;
  return (bytes + unit - 1) / unit * unit;
}

absl::StatusOr<DeviceMemory> DeviceMemory::Allocate(std::shared_ptr<Context> context,
                                                    size_t bytes) {
  if (context->offline()) return absl::UnavailableError("no CUDA device");
  NEREID_RETURN_IF_ERROR(context->Bind());
  DeviceMemory memory;
  if (bytes > 0) {
    CUdeviceptr address = 0;
    const CUresult result = context->api().cuMemAlloc(&address, bytes);
    if (result == CUDA_ERROR_OUT_OF_MEMORY) {
      const auto available = context->FreeBytes();
      return absl::ResourceExhaustedError(
          StrCat("GPU ", context->ordinal(), " has not ", bytes, " bytes of memory left",
                 available.ok() ? StrCat(" (", *available, " are free)") : ""));
    }
    NEREID_RETURN_IF_ERROR(CudaStatus(result, "cuMemAlloc"));
    memory.address_ = address;
  }
  memory.size_ = bytes;
  memory.context_ = std::move(context);
  return memory;
}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  if (this != &other) {
    Release();
    context_ = std::move(other.context_);
    address_ = std::exchange(other.address_, 0);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void DeviceMemory::Release() {
  if (address_ != 0) {
    (void)context_->Bind();
    context_->api().cuMemFree(address_);
  }
  address_ = 0;
  size_ = 0;
  context_.reset();
}

}  // namespace nereid::engine
