#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "repository/load_executor.h"

namespace nereid {

// Runs operations on models: those on the same name one after another in the order in which they
// came, those on different names side by side. An operation begins on an executor thread and ends
// when it calls `finish`, on any thread. What `finish` is given runs right then, when the name is
// free again and while the operation still counts: it tells the outcome.
class OperationQueue {
 public:
  using Finish = std::function<void(const std::function<void()>& tell)>;
  using Operation = std::function<void(Finish finish)>;

  // `executor` outlives the queue.
  explicit OperationQueue(LoadExecutor* executor) : executor_(executor) {}
  // Waits until every operation has ended.
  ~OperationQueue();
  OperationQueue(const OperationQueue&) = delete;
  OperationQueue& operator=(const OperationQueue&) = delete;

  void Enqueue(const std::string& name, Operation operation);
  // True while an operation on `name` runs or waits.
  bool Busy(const std::string& name) const;
  // Operations that run or wait.
  int64_t Count() const;
  void WaitUntilIdle() const;

 private:
  void Start(const std::string& name);
  void Finished(const std::string& name, const std::function<void()>& tell);

  LoadExecutor* const executor_;
  mutable std::mutex mutex_;
  mutable std::condition_variable idle_;
  // By name; the front one runs. No entry: nothing to do. Guarded by mutex_.
  std::map<std::string, std::deque<Operation>, std::less<>> waiting_;
  int64_t count_ = 0;  // guarded by mutex_
};

}  // namespace nereid
