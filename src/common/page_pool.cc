#include "common/page_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>

namespace nereid {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLargestPowerOfTwo = size_t{1} << 20;
constexpr size_t kHugePage = size_t{2} << 20;

// A mapping aligned to kHugePage: what is too much on both sides is unmapped again.
char* MapHuge(size_t size) {
  if (size > SIZE_MAX - kHugePage) return nullptr;
  void* raw =
      mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  const auto start = reinterpret_cast<uintptr_t>(raw);
  const uintptr_t aligned = (start + kHugePage - 1) & ~(kHugePage - 1);
  if (aligned > start) munmap(raw, aligned - start);
  char* data = reinterpret_cast<char*>(aligned);
  const size_t behind = kHugePage - (aligned - start);
  if (behind > 0) munmap(data + size, behind);
  madvise(data, size, MADV_HUGEPAGE);
  return data;
}

char* SystemAllocate(size_t size) {
  if (size > kLargestPowerOfTwo) return MapHuge(size);
  return static_cast<char*>(std::aligned_alloc(kPage, size));
}

void SystemFree(char* data, size_t size) {
  if (size > kLargestPowerOfTwo) {
    munmap(data, size);
  } else {
    std::free(data);
  }
}

// How much larger than asked for an idle block may be to be taken all the same.
size_t LargestFit(size_t size) { return size > kLargestPowerOfTwo ? size + size / 4 : size; }

}  // namespace

PooledBlock::PooledBlock(PooledBlock&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

PooledBlock& PooledBlock::operator=(PooledBlock&& other) noexcept {
  if (this != &other) {
    Reset();
    pool_ = std::exchange(other.pool_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void PooledBlock::Reset() {
  if (data_ != nullptr) pool_->Return(data_, size_);
  pool_ = nullptr;
  data_ = nullptr;
  size_ = 0;
}

std::shared_ptr<void> PooledBlock::Share() && {
  if (data_ == nullptr) return nullptr;
  char* data = data_;
  return std::shared_ptr<void>(
      data, [block = std::make_shared<PooledBlock>(std::move(*this))](void*) { block->Reset(); });
}

PagePool::~PagePool() { Trim(); }

PagePool& PagePool::Shared() {
  static PagePool* const pool = new PagePool;
  return *pool;
}

size_t PagePool::RoundUp(size_t bytes) {
  if (bytes <= kPage) return kPage;
  if (bytes <= kLargestPowerOfTwo) return std::bit_ceil(bytes);
  if (bytes > SIZE_MAX - kHugePage) return 0;
  return (bytes + kHugePage - 1) & ~(kHugePage - 1);
}

PooledBlock PagePool::Allocate(size_t bytes) {
  size_t size = RoundUp(bytes);
  if (size == 0) return {};
  {
    std::lock_guard lock(mutex_);
    auto it = std::lower_bound(classes_.begin(), classes_.end(), size,
                               [](const SizeClass& c, size_t wanted) { return c.size < wanted; });
    for (; it != classes_.end() && it->size <= LargestFit(size); ++it) {
      if (it->idle.empty()) continue;
      char* data = it->idle.back().data;
      it->idle.pop_back();
      statistics_.bytes_idle -= it->size;
      statistics_.bytes_in_use += it->size;
      ++statistics_.hits;
      return PooledBlock(this, data, it->size);
    }
    statistics_.bytes_in_use += size;
    ++statistics_.misses;
  }
  char* data = SystemAllocate(size);
  if (data != nullptr) return PooledBlock(this, data, size);
  std::lock_guard lock(mutex_);
  statistics_.bytes_in_use -= size;
  return {};
}

PagePool::SizeClass& PagePool::ClassOf(size_t size) {
  auto it = std::lower_bound(classes_.begin(), classes_.end(), size,
                             [](const SizeClass& c, size_t wanted) { return c.size < wanted; });
  if (it == classes_.end() || it->size != size) it = classes_.insert(it, SizeClass{size, {}});
  return *it;
}

PagePool::Freed PagePool::TakeOldest() {
  SizeClass* oldest = nullptr;
  for (SizeClass& candidate : classes_) {
    if (candidate.idle.empty()) continue;
    if (oldest == nullptr || candidate.idle.front().returned < oldest->idle.front().returned) {
      oldest = &candidate;
    }
  }
  const Freed freed{oldest->idle.front().data, oldest->size};
  oldest->idle.pop_front();
  statistics_.bytes_idle -= freed.size;
  return freed;
}

void PagePool::Return(char* data, size_t size) {
  std::vector<Freed> surplus;
  {
    std::lock_guard lock(mutex_);
    statistics_.bytes_in_use -= size;
    statistics_.bytes_idle += size;
    ClassOf(size).idle.push_back({data, clock_++});
    while (statistics_.bytes_idle > max_idle_bytes_) surplus.push_back(TakeOldest());
  }
  for (const Freed& freed : surplus) SystemFree(freed.data, freed.size);
}

void PagePool::SetMaxIdleBytes(size_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  max_idle_bytes_ = bytes;
}

void PagePool::Trim() {
  std::vector<SizeClass> classes;
  {
    std::lock_guard lock(mutex_);
    classes.swap(classes_);
    statistics_.bytes_idle = 0;
  }
  for (const SizeClass& size_class : classes) {
    for (const Idle& idle : size_class.idle) SystemFree(idle.data, size_class.size);
  }
}

PagePool::Statistics PagePool::statistics() const {
  std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace nereid
