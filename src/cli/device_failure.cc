#include "cli/device_failure.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "cli/failure_guard.h"
#include "cli/successor.h"
#include "common/log.h"
#include "common/strings.h"

namespace nereid {
namespace {

// What is in flight gets no more time than this.
constexpr std::chrono::seconds kLongestDrain{10};

void CloseAll(const ProcessState::Sockets& sockets) {
  for (const auto* list : {&sockets.http, &sockets.grpc, &sockets.metrics}) {
    for (const int fd : *list) close(fd);
  }
}

}  // namespace

DeviceFailure::DeviceFailure(const ServerOptions& options, StopSignal* stop_signal,
                             std::optional<ProcessState> inherited)
    : options_(options),
      stop_signal_(stop_signal),
      inherited_(std::move(inherited)),
      next_(inherited_.value_or(ProcessState())) {
  if (!inherited_) return;
  NLOG(Warning) << "this process goes on where another one ended, which could not use its GPUs any "
                   "more: "
                << inherited_->reason << " (restart " << inherited_->restarts << ")";
}

Core::Surroundings DeviceFailure::surroundings() {
  return {.needs_new_process =
              [this](std::string reason) {
                if (options_.device_failure != DeviceFailureMode::kServe) {
                  return stop_signal_->NeedNewProcess(std::move(reason));
                }
                NLOG(Error) << "serving goes on without the models on GPUs "
                               "(--device-failure=serve)";
              },
          .inherited = inherited_ ? &*inherited_ : nullptr};
}

void DeviceFailure::End(Core* core, Services* services) {
  next_.reason = stop_signal_->reason().value_or("");
  const bool may_restart =
      MayRestart(std::chrono::steady_clock::now(), options_.device_failure_limit, &next_.failures);
  const bool restarts = options_.device_failure == DeviceFailureMode::kRestart && may_restart;
  NLOG(Error) << (restarts ? "answering what is in flight, then a new process takes over: "
                           : "answering what is in flight, then ending: ")
              << next_.reason;
  if (services != nullptr) {
    core->server().ReportNotReady();
    if (restarts) next_.sockets = services->DuplicateSockets().value_or(ProcessState::Sockets());
    services->Drain(std::min<std::chrono::seconds>(std::chrono::seconds(options_.exit_timeout_secs),
                                                   kLongestDrain));
  }
  if (stop_signal_->StopWatching()) return CloseAll(next_.sockets);
  if (services != nullptr) next_.log = CurrentLogOptions();
  ProcessState unused;
  if (core != nullptr) core->HandOver(services != nullptr ? &next_ : &unused);
  if (restarts) Replace();
  if (!may_restart && options_.device_failure == DeviceFailureMode::kRestart) {
    NLOG(Error) << "devices have failed " << next_.failures.size() << " times within "
                << kFailureWindow.count() << " s: no further process is tried";
  }
  Exit();
}

void DeviceFailure::Replace() {
  ++next_.restarts;
  NLOG(Warning) << "a new process takes over (restart " << next_.restarts << ")";
  const absl::Status failed = ReplaceProcess(next_);
  NLOG(Error) << "no new process could take over: " << Message(failed);
  Exit();
}

void DeviceFailure::Exit() {
  NLOG(Error) << "ending with exit status " << kDeviceFailureStatus << ": " << next_.reason;
  std::fflush(nullptr);
  std::_Exit(kDeviceFailureStatus);
}

}  // namespace nereid
