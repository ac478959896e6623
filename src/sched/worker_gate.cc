#include "sched/worker_gate.h"

#include <algorithm>
#include <cassert>

namespace nereid {
namespace {

// Longer sleeps are cut: no clock arithmetic overflows, and waking once an hour costs nothing.
constexpr std::chrono::nanoseconds kLongestSleep = std::chrono::hours(1);

}  // namespace

WorkerGate::WorkerGate(int slots) : slots_(static_cast<size_t>(std::max(slots, 1))) {
  sleepers_.reserve(slots_.size());
}

bool WorkerGate::WantWorker() {
  is_wanted_ = true;
  return calls_under_way_ == 0 && !sleepers_.empty();
}

void WorkerGate::Sleep(Lock& lock, int slot, std::chrono::nanoseconds duration,
                       bool is_called_first) {
  assert(slot >= 0 && static_cast<size_t>(slot) < slots_.size());
  Slot& self = slots_[static_cast<size_t>(slot)];
  self.is_called = false;
  const bool goes_behind = first_is_reserved_ && !is_called_first && !sleepers_.empty();
  sleepers_.insert(sleepers_.end() - (goes_behind ? 1 : 0), slot);
  if (is_called_first) first_is_reserved_ = true;

  const auto is_called = [&self] { return self.is_called; };
  if (duration == std::chrono::nanoseconds::max()) {
    self.called_changed.wait(lock, is_called);
  } else {
    self.called_changed.wait_for(lock, std::min(duration, kLongestSleep), is_called);
  }
  if (self.is_called) {
    --calls_under_way_;
    return;
  }
  const auto place = std::find(sleepers_.begin(), sleepers_.end(), slot);
  if (std::next(place) == sleepers_.end()) first_is_reserved_ = false;
  sleepers_.erase(place);
}

void WorkerGate::CallAll() {
  calls_under_way_ += static_cast<int>(sleepers_.size());
  for (int slot : sleepers_) {
    slots_[static_cast<size_t>(slot)].is_called = true;
    slots_[static_cast<size_t>(slot)].called_changed.notify_one();
  }
  sleepers_.clear();
  first_is_reserved_ = false;
}

void WorkerGate::Wake() noexcept {
  std::condition_variable* called = nullptr;
  {
    Lock lock = Acquire();
    if (!is_wanted_ || calls_under_way_ > 0 || sleepers_.empty()) return;
    Slot& slot = slots_[static_cast<size_t>(sleepers_.back())];
    sleepers_.pop_back();
    first_is_reserved_ = false;
    slot.is_called = true;
    ++calls_under_way_;
    called = &slot.called_changed;
  }
  // Outside the lock, so that the called one does not run into it.
  called->notify_one();
}

}  // namespace nereid
