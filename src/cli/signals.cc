#include "cli/signals.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace nereid {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  watcher_ = std::thread([this] { Watch(); });
}

StopSignal::~StopSignal() { StopWatching(); }

bool StopSignal::StopWatching() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (ending_) return received_;
    ending_ = true;
  }
  pthread_kill(watcher_.native_handle(), SIGTERM);
  watcher_.join();
  std::lock_guard<std::mutex> lock(mutex_);
  return received_;
}

void StopSignal::Watch() {
  const sigset_t signals = StopSignals();
  while (true) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    std::lock_guard<std::mutex> lock(mutex_);
    if (ending_) return;
    std::printf("Signal (%d) received.\n", number);
    std::fflush(stdout);
    if (!started_) std::_Exit(128 + number);
    received_ = true;
    changed_.notify_all();
  }
}

void StopSignal::Started() {
  std::lock_guard<std::mutex> lock(mutex_);
  started_ = true;
}

void StopSignal::NeedNewProcess(std::string reason) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!reason_) reason_ = std::move(reason);
  }
  changed_.notify_all();
}

std::optional<std::string> StopSignal::reason() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return reason_;
}

bool StopSignal::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return received_ || reason_; });
  return received_;
}

}  // namespace nereid
