#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "net/event_loop.h"
#include "net/http_connection.h"
#include "net/http_options.h"

namespace nereid {

// How many connections a listener has open, over all loops. Thread-safe.
class ConnectionCounter {
 public:
  explicit ConnectionCounter(int limit) : limit_(limit) {}

  // False, and nothing counted, when the limit is reached.
  bool TryAdd();
  void Remove();
  int count() const;
  // True when none was open before `timeout` passed.
  bool WaitForNone(std::chrono::milliseconds timeout);

 private:
  const int limit_;
  mutable std::mutex mutex_;
  std::condition_variable none_;
  int count_ = 0;  // guarded by mutex_
};

// The connections of one loop, and what they share. Loop thread only, except for the constructor,
// and the destructor once the loop has stopped.
class ConnectionSet {
 public:
  ConnectionSet(std::shared_ptr<EventLoop> loop, HttpHandler* handler,
                const HttpConnectionOptions& options, ConnectionCounter* counter);
  ~ConnectionSet();
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;

  // Takes over a connected socket that `counter` has counted.
  void Adopt(int fd);

  // Idle connections close now, the others with their answers.
  void Drain();
  bool draining() const { return draining_; }

  // Closes every connection, and every one adopted later.
  void CloseAll();

  // A connection unlinks itself when it closes.
  void Remove(HttpConnection* connection);

  const std::shared_ptr<EventLoop>& loop() const { return loop_; }
  HttpHandler* handler() const { return handler_; }
  const HttpConnectionOptions& options() const { return options_; }

  // Where input that nobody wants is received.
  char* scratch() { return scratch_.data(); }
  size_t scratch_size() const { return scratch_.size(); }

  // Monotonic, to a few milliseconds: time-outs need no more, and it costs next to nothing.
  static HttpConnection::Time Now();

 private:
  template <typename Action>
  void ForEach(Action action);
  void Sweep();

  const std::shared_ptr<EventLoop> loop_;
  HttpHandler* const handler_;
  const HttpConnectionOptions options_;
  ConnectionCounter* const counter_;
  const std::chrono::milliseconds sweep_period_;
  LoopTimer sweep_timer_;
  std::vector<char> scratch_;
  HttpConnection* first_ = nullptr;
  HttpConnection* cursor_ = nullptr;  // what ForEach visits next
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace nereid
