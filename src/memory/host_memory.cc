#include "memory/host_memory.h"

#include <cstdlib>
#include <memory>

#include "absl/status/status.h"
#include "common/page_pool.h"
#include "common/strings.h"

namespace nereid {
namespace {

constexpr size_t kAlignment = 64;
// Below this the heap's own caches are faster than the pool.
constexpr size_t kPoolThreshold = 64 * 1024;

struct FreeBlock {
  void operator()(const void* block) const { std::free(const_cast<void*>(block)); }
};

absl::Status OutOfMemory(size_t byte_size) {
  return absl::ResourceExhaustedError(
      StrCat("failed to allocate ", byte_size, " bytes of host memory"));
}

}  // namespace

absl::StatusOr<Buffer> AllocateHost(size_t byte_size) noexcept {
  try {
    if (byte_size < kPoolThreshold) {
      const size_t rounded = (byte_size / kAlignment + 1) * kAlignment;
      void* block = std::aligned_alloc(kAlignment, rounded);
      if (block == nullptr) return OutOfMemory(byte_size);
      return Buffer(std::shared_ptr<const void>(block, FreeBlock()), static_cast<std::byte*>(block),
                    byte_size);
    }
    PooledBlock block = PagePool::Shared().Allocate(byte_size);
    if (block.data() == nullptr) return OutOfMemory(byte_size);
    auto* data = reinterpret_cast<std::byte*>(block.data());
    return Buffer(std::move(block).Share(), data, byte_size);
  } catch (const std::bad_alloc&) {
    return OutOfMemory(byte_size);
  }
}

}  // namespace nereid
