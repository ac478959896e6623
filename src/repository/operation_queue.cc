#include "repository/operation_queue.h"

#include <utility>

namespace nereid {

OperationQueue::~OperationQueue() { WaitUntilIdle(); }

void OperationQueue::Enqueue(const std::string& name, Operation operation) {
  {
    const std::lock_guard lock(mutex_);
    ++count_;
    std::deque<Operation>& waiting = waiting_[name];
    waiting.push_back(std::move(operation));
    if (waiting.size() > 1) return;
  }
  Start(name);
}

void OperationQueue::Start(const std::string& name) {
  executor_->Post([this, name] {
    Operation operation;
    {
      const std::lock_guard lock(mutex_);
      operation = std::move(waiting_.find(name)->second.front());
    }
    operation([this, name](const std::function<void()>& tell) { Finished(name, tell); });
  });
}

void OperationQueue::Finished(const std::string& name, const std::function<void()>& tell) {
  {
    const std::lock_guard lock(mutex_);
    const auto entry = waiting_.find(name);
    entry->second.pop_front();
    const bool more = !entry->second.empty();
    if (!more) waiting_.erase(entry);
    if (more) Start(name);
  }
  tell();
  // Last, and told under the lock: whoever waits for idleness may then destroy the queue.
  const std::lock_guard lock(mutex_);
  if (--count_ == 0) idle_.notify_all();
}

bool OperationQueue::Busy(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return waiting_.contains(name);
}

int64_t OperationQueue::Count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

void OperationQueue::WaitUntilIdle() const {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return count_ == 0; });
}

}  // namespace nereid
