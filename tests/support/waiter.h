#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace nereid::testing {

// Waits for one value that another thread hands over, as callbacks do.
template <typename T>
class Waiter {
 public:
  void Set(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    ++count_;
    set_.notify_all();
  }
  T Wait() {
    std::unique_lock lock(mutex_);
    set_.wait(lock, [&] { return value_.has_value(); });
    return *value_;
  }
  bool IsSet() const {
    const std::lock_guard lock(mutex_);
    return value_.has_value();
  }
  int count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable set_;
  std::optional<T> value_;  // guarded by mutex_
  int count_ = 0;           // guarded by mutex_
};

}  // namespace nereid::testing
