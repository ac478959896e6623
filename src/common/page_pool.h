#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace nereid {

class PagePool;

// A block of a PagePool; goes back to it when destroyed. Move-only, movable between threads.
class PooledBlock {
 public:
  PooledBlock() = default;
  PooledBlock(PooledBlock&& other) noexcept;
  PooledBlock& operator=(PooledBlock&& other) noexcept;
  ~PooledBlock() { Reset(); }

  char* data() const { return data_; }
  size_t size() const { return size_; }  // capacity in bytes, at least what was asked for
  explicit operator bool() const { return data_ != nullptr; }

  void Reset();

  // Hands the block to shared ownership; it returns to the pool with the last reference. The
  // pointer is data().
  std::shared_ptr<void> Share() &&;

 private:
  friend class PagePool;
  PooledBlock(PagePool* pool, char* data, size_t size) : pool_(pool), data_(data), size_(size) {}

  PagePool* pool_ = nullptr;
  char* data_ = nullptr;
  size_t size_ = 0;
};

// Host memory blocks that keep their pages when they are returned: the first touch of fresh pages
// costs as much as the copy that fills them. Contents are undefined.
//
// Sizes up to 1 MiB are rounded up to a power of two (at least 4 KiB), larger ones to a multiple of
// 2 MiB, aligned to 2 MiB and advised to use huge pages; those may be served by an idle block that
// is up to a quarter larger. Returned blocks beyond `max_idle_bytes` are given back to the system,
// oldest first. Thread-safe; must outlive its blocks.
class PagePool {
 public:
  struct Options {
    size_t max_idle_bytes = size_t{1} << 30;
  };
  struct Statistics {
    size_t bytes_in_use = 0;
    size_t bytes_idle = 0;
    uint64_t hits = 0;    // allocations served by an idle block
    uint64_t misses = 0;  // allocations that asked the system
  };

  PagePool() : PagePool(Options{}) {}
  explicit PagePool(Options options) : max_idle_bytes_(options.max_idle_bytes) {}
  ~PagePool();
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  // The process-wide pool; never destroyed.
  static PagePool& Shared();

  // At least `bytes` bytes, aligned to 4096; an empty block when the system has no memory (or
  // `bytes` cannot be rounded up).
  PooledBlock Allocate(size_t bytes);

  // The capacity Allocate gives for `bytes`; 0 when it cannot be represented.
  static size_t RoundUp(size_t bytes);

  // Changes the cap; what is idle beyond it goes back with the next returned block.
  void SetMaxIdleBytes(size_t bytes);

  // Returns every idle block to the system.
  void Trim();

  Statistics statistics() const;

 private:
  friend class PooledBlock;

  struct Idle {
    char* data;
    uint64_t returned;  // value of clock_ at return, for the age
  };
  struct SizeClass {
    size_t size;
    std::deque<Idle> idle;  // oldest first
  };
  struct Freed {
    char* data;
    size_t size;
  };

  void Return(char* data, size_t size);
  SizeClass& ClassOf(size_t size);
  Freed TakeOldest();

  size_t max_idle_bytes_;  // guarded by mutex_

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<SizeClass> classes_;  // sorted by size
  Statistics statistics_;
  uint64_t clock_ = 0;
};

}  // namespace nereid
