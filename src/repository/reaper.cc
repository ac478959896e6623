#include "repository/reaper.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace nereid {

// What has been handed over. Shared by the reaper and all handles, because handles may come last.
class Reaper::Queue {
 public:
  using Task = std::function<void()>;

  void Post(Task task) {
    {
      const std::lock_guard lock(mutex_);
      if (!closed_) {
        tasks_.push_back(std::move(task));
        changed_.notify_one();
        return;
      }
    }
    // Nobody is left to do it, and this thread may be one that the servable waits for.
    std::thread(std::move(task)).detach();
  }

  void Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return !tasks_.empty() || closed_; });
      if (tasks_.empty()) return;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }

  void Start() {
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "nereid-reaper");
  }

  void CloseAndJoin() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool closed_ = false;     // guarded by mutex_
  std::thread thread_;      // only touched by the reaper's owner
};

Reaper::Reaper() : queue_(std::make_shared<Queue>()) { queue_->Start(); }

Reaper::~Reaper() { queue_->CloseAndJoin(); }

ServableHandle Reaper::Wrap(std::shared_ptr<Servable> servable, Release release) {
  Servable* const raw = servable.get();
  return ServableHandle(raw, [queue = queue_, servable = std::move(servable),
                              release = std::move(release)](Servable*) mutable {
    queue->Post([servable = std::move(servable), release = std::move(release)]() mutable {
      release(std::move(servable));
      release = nullptr;
    });
  });
}

}  // namespace nereid
