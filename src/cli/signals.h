#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace nereid {

// Turns SIGINT and SIGTERM into a request to stop. Construct before any other thread: they are
// blocked in the calling thread and in those it starts, and a thread of its own waits for them.
// SIGPIPE is ignored.
//
// Each signal prints "Signal (<n>) received.". Until Started() is called nothing is in flight that
// is worth finishing: a signal then ends the process at once, with exit status 128 + n, however
// long models take to load.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void Started();
  // Blocks until a signal has come.
  void Wait();

 private:
  void Watch();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;   // guarded by mutex_
  bool received_ = false;  // guarded by mutex_
  bool ending_ = false;    // guarded by mutex_
  std::thread watcher_;
};

}  // namespace nereid
