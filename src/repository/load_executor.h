#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace nereid {

// A fixed number of threads that run tasks, begun in the order in which they came. Tasks throw
// nothing and must not wait for other tasks.
class LoadExecutor {
 public:
  using Task = std::function<void()>;

  // At least one thread; `name` is what debuggers call them.
  LoadExecutor(int thread_count, const std::string& name);
  // Runs what is queued, and what that queues, then ends the threads. Not from a task.
  ~LoadExecutor();
  LoadExecutor(const LoadExecutor&) = delete;
  LoadExecutor& operator=(const LoadExecutor&) = delete;

  void Post(Task task);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;  // guarded by mutex_
  int running_ = 0;         // guarded by mutex_; tasks being run
  bool closing_ = false;    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace nereid
