#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "nereid/request.h"

namespace nereid {

// Calls back at given times of the real clock, all on one thread, which starts with the first time
// that is set.
class AlarmClock {
 public:
  class Alarm;

  AlarmClock() = default;
  // No alarm may be left.
  ~AlarmClock();
  AlarmClock(const AlarmClock&) = delete;
  AlarmClock& operator=(const AlarmClock&) = delete;

  // Lives until the process ends.
  static AlarmClock& Shared();

 private:
  void Run();

  std::mutex mutex_;
  // Guarded by mutex_.
  std::set<std::pair<TimePoint, Alarm*>> set_;
  const Alarm* ringing_ = nullptr;
  bool is_stopped_ = false;
  std::thread thread_;
  std::condition_variable first_changed_;
  std::condition_variable rang_;
};

// One thing to call back. Any thread.
class AlarmClock::Alarm {
 public:
  // `ring` is called on the clock's thread, without a lock; others wait meanwhile. `clock` outlives
  // the alarm.
  Alarm(AlarmClock* clock, std::function<void()> ring);
  // Silence().
  ~Alarm();

  // Rings once at `when`, or at the earlier time that is set already. Costs one load in that case.
  void SetNoLaterThan(TimePoint when);

  // Waits while it rings; it does not ring afterwards. Not to be called by `ring`.
  void Silence();

 private:
  friend class AlarmClock;

  AlarmClock* const clock_;
  const std::function<void()> ring_;
  bool is_silent_ = false;  // guarded by the clock's lock
  // Written with the clock's lock held; max: not set.
  std::atomic<TimePoint> at_{TimePoint::max()};
};

}  // namespace nereid
