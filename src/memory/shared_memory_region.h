#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "memory/shared_memory_guard.h"
#include "nereid/buffer.h"

namespace nereid {

// The bytes of one registered region, as this process sees them. Shared by the registry and by
// everything that views them; gone with the last of them. Any thread.
class SharedMemoryMapping {
 public:
  virtual ~SharedMemoryMapping() = default;

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  // Where the bytes are; may change from kCpu to kPinned.
  virtual MemoryPlace place() const = 0;
  // Says that a model on this GPU works with the bytes. Returns at once.
  virtual void PreferGpu(int /*device*/) {}
  // True once the memory behind the mapping turned out to be gone.
  virtual bool broken() const { return false; }

 protected:
  SharedMemoryMapping(std::byte* data, size_t size) : data_(data), size_(size) {}

 private:
  std::byte* const data_;
  const size_t size_;
};

// A range of a POSIX shared-memory object. The object belongs to its creator: it is neither made
// nor unlinked here, and who made it may shrink it (see MappingGuard).
class SystemSharedMemory final : public SharedMemoryMapping {
 public:
  // Maps `byte_size` bytes of the object called `key`, from `offset` on, for reading and writing.
  // Errors have the texts of the protocol, which name the region.
  static absl::StatusOr<std::shared_ptr<SystemSharedMemory>> Open(std::string_view region,
                                                                  const std::string& key,
                                                                  uint64_t offset,
                                                                  uint64_t byte_size);
  ~SystemSharedMemory() override;

  MemoryPlace place() const override;
  // The first call starts to pin the pages, so that GPUs copy straight from and to them. Where that
  // fails they stay as they are.
  void PreferGpu(int device) override;
  bool broken() const override { return guard_->broken(); }

 private:
  enum class Pinning : uint8_t { kNotAsked, kUnderWay, kPinned, kRefused };
  SystemSharedMemory(std::byte* data, size_t size);

  std::optional<MappingGuard> guard_;  // gone before the mapping is
  std::atomic<Pinning> pinning_{Pinning::kNotAsked};
  int device_ = 0;  // that pinned the pages; constant once kPinned
  std::thread pinner_;
};

}  // namespace nereid
