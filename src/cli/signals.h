#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace nereid {

// Why the program stops serving: SIGINT or SIGTERM, or a need for a new process. Construct before
// any other thread: they are blocked in the calling thread and in those it starts, and a thread of
// its own waits for them. SIGPIPE is ignored. Members may be called on any thread.
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
  // Asks for a new process; the first reason counts.
  void NeedNewProcess(std::string reason);
  // Why a new process is needed; nothing while none is.
  std::optional<std::string> reason() const;
  // Blocks until a signal has come (true) or a new process is needed.
  bool Wait();
  // Signals are received no more, and stay pending. Whether one has come.
  bool StopWatching();

 private:
  void Watch();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;               // guarded by mutex_
  bool received_ = false;              // guarded by mutex_
  std::optional<std::string> reason_;  // guarded by mutex_
  bool ending_ = false;                // guarded by mutex_
  std::thread watcher_;
};

}  // namespace nereid
