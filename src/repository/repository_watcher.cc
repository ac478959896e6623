#include "repository/repository_watcher.h"

#include <pthread.h>

#include <utility>

namespace nereid {

RepositoryWatcher::RepositoryWatcher(std::chrono::milliseconds interval, std::function<void()> poll)
    : interval_(interval), poll_(std::move(poll)), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "nereid-watcher");
}

RepositoryWatcher::~RepositoryWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void RepositoryWatcher::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    poll_();
    lock.lock();
    stopped_.wait_for(lock, interval_, [&] { return stopping_; });
  }
}

}  // namespace nereid
