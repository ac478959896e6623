#include "memory/shared_memory_guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>

namespace nereid {

// An element of a list that only grows, so that the signal handler can walk it at any time; what is
// free is used again.
struct MappingGuard::Range {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> broken{false};
  std::atomic<bool> taken{false};
  Range* next = nullptr;
};

namespace {

using Range = MappingGuard::Range;
static_assert(std::atomic<uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "signal handlers need atomics without locks");

std::atomic<Range*> ranges{nullptr};
uintptr_t page_size = 4096;
struct sigaction previous;

Range* FindRange(uintptr_t address) {
  for (Range* range = ranges.load(std::memory_order_acquire); range != nullptr;
       range = range->next) {
    if (address >= range->begin.load() && address < range->end.load()) return range;
  }
  return nullptr;
}

bool PutZeros(Range& range, uintptr_t address) {
  const uintptr_t page = address / page_size * page_size;
  void* at = reinterpret_cast<void*>(page);
  range.broken.store(true);
  return mmap(at, range.end.load() - page, PROT_READ | PROT_WRITE,
              MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

void PassOn(int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    return previous.sa_handler(signal);
  }
  // The access happens again on return, and now ends the process.
  sigaction(signal, &previous, nullptr);
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  // A signal that somebody sent (si_code <= 0) has no address.
  Range* range = info->si_code > 0 ? FindRange(address) : nullptr;
  if (range == nullptr || !PutZeros(*range, address)) PassOn(signal, info, context);
  errno = saved_errno;
}

void InstallHandler() {
  page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &previous);
}

Range* TakeRange() {
  for (Range* range = ranges.load(std::memory_order_acquire); range != nullptr;
       range = range->next) {
    if (!range->taken.exchange(true)) return range;
  }
  auto* range = new Range;
  range->taken.store(true);
  range->next = ranges.load();
  while (!ranges.compare_exchange_weak(range->next, range)) {
  }
  return range;
}

}  // namespace

MappingGuard::MappingGuard(const std::byte* data, size_t size) : range_(TakeRange()) {
  static std::once_flag installed;
  std::call_once(installed, InstallHandler);
  const auto begin = reinterpret_cast<uintptr_t>(data);
  range_->broken.store(false);
  range_->begin.store(begin);
  // To the end of the last page: that is what the kernel maps.
  range_->end.store(begin + (size + page_size - 1) / page_size * page_size);
}

MappingGuard::~MappingGuard() {
  range_->end.store(0);
  range_->taken.store(false);
}

bool MappingGuard::broken() const { return range_->broken.load(std::memory_order_acquire); }

}  // namespace nereid
