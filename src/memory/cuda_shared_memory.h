#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "memory/shared_memory_region.h"

namespace nereid {

class CudaDriver;

// Memory that a client allocated on a GPU, opened in this process through its handle.
class CudaSharedMemory final : public SharedMemoryMapping {
 public:
  // `handle`: the bytes of a cudaIpcMemHandle_t. INVALID_ARGUMENT, with the texts of the protocol,
  // when this machine has no CUDA device, when the handle cannot be opened on `device`, or when
  // less than `byte_size` bytes are behind it.
  static absl::StatusOr<std::shared_ptr<CudaSharedMemory>> Open(std::string_view region,
                                                                std::string_view handle,
                                                                int64_t device, uint64_t byte_size);
  ~CudaSharedMemory() override;

  MemoryPlace place() const override { return {MemoryKind::kGpu, device_}; }
  // A failure of the device takes the memory away; a reset may give its address to somebody else.
  bool broken() const override;

 private:
  CudaSharedMemory(CudaDriver* driver, int device, std::byte* data, size_t size, uint64_t id)
      : SharedMemoryMapping(data, size), driver_(driver), device_(device), id_(id) {}

  CudaDriver* const driver_;
  const int device_;
  const uint64_t id_;  // of the allocation; 0: not known
};

}  // namespace nereid
