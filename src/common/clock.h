#pragma once

#include <chrono>

namespace nereid {

// The time, injected where a test needs to hold it.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  virtual std::chrono::steady_clock::time_point Now() const = 0;

  // The real clock; lives as long as the process.
  static const TimeSource& Real();
};

}  // namespace nereid
