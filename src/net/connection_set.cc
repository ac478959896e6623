#include "net/connection_set.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace nereid {
namespace {

constexpr size_t kScratchBytes = 64 * 1024;

// Often enough that a time-out passes at most a quarter late.
std::chrono::milliseconds SweepPeriod(const HttpConnectionOptions& options) {
  std::chrono::milliseconds period{4000};
  for (const auto timeout :
       {options.head_timeout, options.body_timeout, options.idle_timeout, options.write_timeout,
        options.linger_timeout, options.drain_timeout}) {
    if (timeout.count() > 0) period = std::min(period, timeout);
  }
  return std::max(period / 4, std::chrono::milliseconds(5));
}

}  // namespace

bool ConnectionCounter::TryAdd() {
  std::lock_guard lock(mutex_);
  if (count_ >= limit_) return false;
  ++count_;
  return true;
}

void ConnectionCounter::Remove() {
  std::lock_guard lock(mutex_);
  if (--count_ == 0) none_.notify_all();
}

int ConnectionCounter::count() const {
  std::lock_guard lock(mutex_);
  return count_;
}

bool ConnectionCounter::WaitForNone(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return none_.wait_for(lock, timeout, [this] { return count_ == 0; });
}

ConnectionSet::ConnectionSet(std::shared_ptr<EventLoop> loop, HttpHandler* handler,
                             const HttpConnectionOptions& options, ConnectionCounter* counter)
    : loop_(std::move(loop)),
      handler_(handler),
      options_(options),
      counter_(counter),
      sweep_period_(SweepPeriod(options)),
      sweep_timer_(loop_.get(), [this] { Sweep(); }),
      scratch_(kScratchBytes) {}

ConnectionSet::~ConnectionSet() { CloseAll(); }

void ConnectionSet::Adopt(int fd) {
  if (closed_) {
    close(fd);
    counter_->Remove();
    return;
  }
  auto* connection = new HttpConnection(this, fd);
  connection->next = first_;
  if (first_ != nullptr) first_->previous = connection;
  if (first_ == nullptr) sweep_timer_.Start(sweep_period_);
  first_ = connection;
  connection->Start();
}

void ConnectionSet::Remove(HttpConnection* connection) {
  if (connection->previous != nullptr) connection->previous->next = connection->next;
  if (connection->next != nullptr) connection->next->previous = connection->previous;
  if (first_ == connection) first_ = connection->next;
  if (cursor_ == connection) cursor_ = connection->next;
  counter_->Remove();
}

template <typename Action>
void ConnectionSet::ForEach(Action action) {
  // An action may end any connection: Remove moves the cursor on when it points at that one.
  for (cursor_ = first_; cursor_ != nullptr;) {
    HttpConnection* const connection = cursor_;
    cursor_ = connection->next;
    action(connection);
  }
}

void ConnectionSet::Drain() {
  draining_ = true;
  ForEach([](HttpConnection* connection) { connection->Drain(); });
}

void ConnectionSet::CloseAll() {
  closed_ = true;
  while (first_ != nullptr) first_->Abort();
}

void ConnectionSet::Sweep() {
  const HttpConnection::Time now = Now();
  ForEach([now](HttpConnection* connection) { connection->CheckTimeouts(now); });
  if (first_ != nullptr) sweep_timer_.Start(sweep_period_);
}

HttpConnection::Time ConnectionSet::Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return HttpConnection::Time(std::chrono::seconds(now.tv_sec) +
                              std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace nereid
