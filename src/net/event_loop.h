#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

struct event;
struct event_base;

namespace nereid {

class LoopTimer;

// A piece of work handed to a loop without an allocation: the object is its own list node.
class LoopTask {
 public:
  virtual ~LoopTask() = default;

  // Loop thread, once for each Post. The task may delete or post itself again.
  virtual void Run() = 0;

  // Called instead of Run when the loop has stopped, on the thread that posted or stopped it.
  virtual void Abandon() = 0;

 private:
  friend class EventLoop;
  LoopTask* next_ = nullptr;
};

// One thread that waits for sockets and timers, and runs what other threads post to it.
//
// Posting is batched: a post appends to a list under a lock and writes the wake-up descriptor only
// when the loop sleeps (or is about to) and nobody else has woken it. Every iteration runs inside a
// DeferredWakeups::Scope, so that work which callbacks hand to other threads wakes each of them
// once per iteration rather than once per request.
//
// Thread-safe unless a member says otherwise. Shared ownership: a request that outlives the server
// may still post (its task is then abandoned).
class EventLoop : public std::enable_shared_from_this<EventLoop> {
 public:
  // `name` becomes the thread's name (15 characters are shown).
  static absl::StatusOr<std::shared_ptr<EventLoop>> Create(const std::string& name);

  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs `task` on the loop thread; tasks of one thread run in the order of their posts. The loop
  // keeps the pointer until Run or Abandon is called. A task must not be posted twice at once.
  void Post(LoopTask* task);

  // As above for any callable; destroyed without being called when the loop has stopped.
  void Post(absl::AnyInvocable<void()> fn);

  bool InLoopThread() const;

  // Ends the thread after the current iteration and waits for it; tasks still queued are abandoned.
  // Idempotent; not from the loop thread.
  void Stop();

  // Loop thread only: a callback from a socket or timer is about to run, so posts need no wake-up
  // until the loop sleeps again.
  void MarkAwake() {
    if (asleep_.load(std::memory_order_relaxed)) asleep_.store(false, std::memory_order_seq_cst);
  }

  // Loop thread only (and only inside this module).
  event_base* base() const { return base_; }

 private:
  EventLoop() = default;

  absl::Status Init(const std::string& name);
  void ThreadMain();
  void RunPosted();
  bool HasPosted();

  event_base* base_ = nullptr;
  int wake_fd_ = -1;
  struct event* wake_event_ = nullptr;
  std::thread thread_;

  std::atomic<bool> asleep_{false};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  // Guarded by mutex_: posted tasks, oldest first, and whether posts are refused.
  LoopTask* first_ = nullptr;
  LoopTask* last_ = nullptr;
  bool closed_ = false;
};

// A timer of one loop. All members, the destructor included, are for the loop thread.
class LoopTimer {
 public:
  LoopTimer(EventLoop* loop, absl::AnyInvocable<void()> callback);
  ~LoopTimer();
  LoopTimer(const LoopTimer&) = delete;
  LoopTimer& operator=(const LoopTimer&) = delete;

  // Calls the callback once after `delay`; replaces an earlier start.
  void Start(std::chrono::milliseconds delay);
  void Stop();

 private:
  static void OnTimeout(int fd, short what, void* self);

  EventLoop* const loop_;
  absl::AnyInvocable<void()> callback_;
  struct event* event_;
};

}  // namespace nereid
