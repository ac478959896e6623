#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "common/deferred_wakeups.h"
#include "nereid/request.h"

namespace nereid {

// How long to sleep at `now` when nothing happens before `until` (max: without limit).
inline std::chrono::nanoseconds SleepDuration(TimePoint now, TimePoint until) {
  return until == TimePoint::max() ? std::chrono::nanoseconds::max() : until - now;
}

// The lock of a scheduler and the bench on which its idle instances sleep. Whoever brings work
// calls at most one of them at a time; the called one looks at all there is and calls the next if
// something is left. So a burst costs its bringer one wake-up, and instances that are awake cost
// none.
//
// Outlives its scheduler for as long as a deferred wake-up refers to it.
class WorkerGate : public Wakeable {
 public:
  using Lock = std::unique_lock<std::mutex>;

  // Slots are numbered from 0; each is used by one thread at a time.
  explicit WorkerGate(int slots);

  Lock Acquire() const { return Lock(mutex_); }

  // The methods below are called with the lock held.

  // There is work to look at. True: the caller must pass this gate to DeferredWakeups::WakeLater()
  // once it has released the lock.
  bool WantWorker();
  // The caller looks at all the work there is, so that nobody else has to.
  void LookedAtWork() { is_wanted_ = false; }
  // Releases the lock and sleeps until called, or for `duration` (max: without limit; it may return
  // early). With `is_called_first` the next call is for this slot.
  void Sleep(Lock& lock, int slot, std::chrono::nanoseconds duration, bool is_called_first);
  // Wakes everybody.
  void CallAll();

  // Calls one sleeper if work is still waiting to be looked at. Takes the lock itself.
  void Wake() noexcept override;

 private:
  struct Slot {
    std::condition_variable called_changed;
    bool is_called = false;
  };

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<Slot> slots_;
  std::vector<int> sleepers_;       // the last one is called first
  bool first_is_reserved_ = false;  // the last sleeper asked to be called first
  bool is_wanted_ = false;          // work came that nobody has looked at
  int calls_under_way_ = 0;         // called, and not yet awake
};

}  // namespace nereid
