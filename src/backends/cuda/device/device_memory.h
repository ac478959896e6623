#pragma once

#include <cstddef>
#include <memory>

#include "backends/cuda/device/context.h"
#include "backends/cuda/device/device_op.h"

namespace nereid::engine {

// What a block of so many bytes takes on the GPU: the driver hands out small blocks from shared
// pages, others in pages of 2 MiB.
size_t BytesTaken(size_t bytes);

// A block of the GPU's memory, aligned to 256 bytes at least; freed with this. Contents undefined.
class DeviceMemory {
 public:
  // RESOURCE_EXHAUSTED, with the sizes, when there is not enough. Zero bytes are allowed.
  static absl::StatusOr<DeviceMemory> Allocate(std::shared_ptr<Context> context, size_t bytes);
  DeviceMemory() = default;
  DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;
  ~DeviceMemory() { Release(); }

  DevicePointer address() const { return address_; }
  size_t size() const { return size_; }
  size_t taken() const { return BytesTaken(size_); }

 private:
  void Release();

  std::shared_ptr<Context> context_;
  DevicePointer address_ = 0;
  size_t size_ = 0;
};

}  // namespace nereid::engine
