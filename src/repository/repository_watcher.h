#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace nereid {

// Calls `poll` at once and then at every interval, on a thread of its own.
class RepositoryWatcher {
 public:
  RepositoryWatcher(std::chrono::milliseconds interval, std::function<void()> poll);
  // Waits for a poll that runs.
  ~RepositoryWatcher();
  RepositoryWatcher(const RepositoryWatcher&) = delete;
  RepositoryWatcher& operator=(const RepositoryWatcher&) = delete;

 private:
  void Run();

  const std::chrono::milliseconds interval_;
  const std::function<void()> poll_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace nereid
