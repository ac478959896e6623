#pragma once

#include <optional>
#include <string>

#include "assembly/core.h"
#include "assembly/process_state.h"
#include "cli/services.h"
#include "cli/signals.h"
#include "config/server_options.h"

namespace nereid {

// The exit status of a program that ended because a device had failed.
inline constexpr int kDeviceFailureStatus = 75;

// What becomes of the process when a backend cannot work in it any more (--device-failure).
class DeviceFailure {
 public:
  // `inherited`: of the process that this one took over from. What is pointed to outlives this.
  DeviceFailure(const ServerOptions& options, StopSignal* stop_signal,
                std::optional<ProcessState> inherited);
  DeviceFailure(const DeviceFailure&) = delete;
  DeviceFailure& operator=(const DeviceFailure&) = delete;

  // For the core: it is to stop, unless the option says that it goes on.
  Core::Surroundings surroundings();

  // Answers what is in flight, for some seconds at most; then a new process takes over or, where
  // that is not wanted or has happened too often, the program ends. Nothing is torn down: that
  // would be calls to devices which do not answer any more. Returns only when a signal to stop has
  // come meanwhile. Without `services` nothing has been served yet (and there may be no `core`):
  // the next process is left what was left to this one.
  void End(Core* core, Services* services);

 private:
  [[noreturn]] void Replace();
  [[noreturn]] void Exit();

  const ServerOptions& options_;
  StopSignal* const stop_signal_;
  const std::optional<ProcessState> inherited_;
  ProcessState next_;
};

}  // namespace nereid
