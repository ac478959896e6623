#include "cli/signals.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

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

StopSignal::~StopSignal() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  pthread_kill(watcher_.native_handle(), SIGTERM);
  watcher_.join();
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

void StopSignal::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return received_; });
}

}  // namespace nereid
