#pragma once

#include <atomic>
#include <chrono>

#include "common/clock.h"

namespace nereid::testing {

// A clock that a test moves by hand. Any thread.
class ManualClock : public TimeSource {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  TimePoint Now() const override {
    return TimePoint(std::chrono::nanoseconds(nanoseconds_.load(std::memory_order_relaxed)));
  }
  void Advance(std::chrono::nanoseconds by) {
    nanoseconds_.fetch_add(by.count(), std::memory_order_relaxed);
  }

 private:
  // Not zero: a default TimePoint lies in the past.
  std::atomic<int64_t> nanoseconds_{std::chrono::nanoseconds(std::chrono::hours(1)).count()};
};

}  // namespace nereid::testing
