#include "sched/alarm_clock.h"

namespace nereid {

AlarmClock& AlarmClock::Shared() {
  static AlarmClock clock;
  return clock;
}

AlarmClock::~AlarmClock() {
  {
    std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  first_changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void AlarmClock::Run() {
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    if (set_.empty()) {
      first_changed_.wait(lock);
      continue;
    }
    const auto [when, alarm] = *set_.begin();
    if (Clock::now() < when) {
      first_changed_.wait_until(lock, when);
      continue;
    }
    set_.erase(set_.begin());
    // Before it rings: who sets it from now on is not heard by this ring.
    alarm->at_ = TimePoint::max();
    ringing_ = alarm;
    lock.unlock();
    alarm->ring_();
    lock.lock();
    ringing_ = nullptr;
    rang_.notify_all();
  }
}

AlarmClock::Alarm::Alarm(AlarmClock* clock, std::function<void()> ring)
    : clock_(clock), ring_(std::move(ring)) {}

AlarmClock::Alarm::~Alarm() { Silence(); }

void AlarmClock::Alarm::Silence() {
  std::unique_lock lock(clock_->mutex_);
  is_silent_ = true;
  clock_->set_.erase({at_, this});
  clock_->rang_.wait(lock, [this] { return clock_->ringing_ != this; });
}

void AlarmClock::Alarm::SetNoLaterThan(TimePoint when) {
  if (at_.load(std::memory_order_relaxed) <= when) return;
  std::lock_guard lock(clock_->mutex_);
  if (is_silent_ || at_.load() <= when) return;
  clock_->set_.erase({at_, this});
  at_ = when;
  const auto place = clock_->set_.insert({when, this}).first;
  if (!clock_->thread_.joinable()) clock_->thread_ = std::thread(&AlarmClock::Run, clock_);
  if (place == clock_->set_.begin()) clock_->first_changed_.notify_one();
}

}  // namespace nereid
