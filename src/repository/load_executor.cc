#include "repository/load_executor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace nereid {

LoadExecutor::LoadExecutor(int thread_count, const std::string& name) {
  for (int i = 0; i < std::max(thread_count, 1); ++i) {
    threads_.emplace_back([this] { Run(); });
    // The system keeps 15 characters.
    pthread_setname_np(threads_.back().native_handle(), name.substr(0, 15).c_str());
  }
}

LoadExecutor::~LoadExecutor() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void LoadExecutor::Post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void LoadExecutor::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    // While another task runs, it may still post more.
    changed_.wait(lock, [&] { return !tasks_.empty() || (closing_ && running_ == 0); });
    if (tasks_.empty()) break;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    ++running_;
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
    --running_;
    if (closing_) changed_.notify_all();
  }
}

}  // namespace nereid
