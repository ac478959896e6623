#pragma once

#include <cstddef>
#include <memory>

#include "backends/cuda/device/context.h"
#include "backends/cuda/device/device_op.h"

namespace nereid::engine {

// A block of page-locked host memory that the GPU can also address; freed with this.
class PinnedMemory {
 public:
  static absl::StatusOr<PinnedMemory> Allocate(std::shared_ptr<Context> context, size_t bytes);
  PinnedMemory() = default;
  PinnedMemory(PinnedMemory&& other) noexcept { *this = std::move(other); }
  PinnedMemory& operator=(PinnedMemory&& other) noexcept;
  ~PinnedMemory() { Release(); }

  void* data() const { return data_; }
  size_t size() const { return size_; }
  // The same bytes as kernels see them.
  DevicePointer device_address() const { return device_address_; }

 private:
  void Release();

  std::shared_ptr<Context> context_;
  void* data_ = nullptr;
  DevicePointer device_address_ = 0;
  size_t size_ = 0;
};

}  // namespace nereid::engine
