#include <cstdio>
#include <optional>
#include <utility>

#include "assembly/core.h"
#include "cli/commands.h"
#include "cli/device_failure.h"
#include "cli/option_parser.h"
#include "cli/services.h"
#include "cli/signals.h"
#include "cli/successor.h"
#include "common/log.h"
#include "common/status_label.h"
#include "common/strings.h"

namespace nereid {
namespace {

int Refuse(std::string_view message) {
  std::fprintf(stderr, "%s", UsageText().c_str());
  if (!message.empty())
    std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
  return 1;
}

int FailToStart(std::string_view what, const absl::Status& status) {
  std::fprintf(stderr, "error: %s: %s - %s\n", std::string(what).c_str(),
               std::string(StatusLabel(status.code())).c_str(),
               std::string(Message(status)).c_str());
  return 1;
}

// The ports and the log as another process left them.
ServerOptions WithInherited(ServerOptions options, const std::optional<ProcessState>& inherited) {
  if (!inherited) return options;
  options.http.endpoint.inherited = inherited->sockets.http;
  options.grpc.endpoint.inherited = inherited->sockets.grpc;
  options.metrics.endpoint.inherited = inherited->sockets.metrics;
  if (inherited->log) options.log = *inherited->log;
  return options;
}

}  // namespace

int Serve(const std::vector<std::string>& arguments) {
  auto state = TakeProcessState();
  absl::StatusOr<ParsedCommandLine> parsed = ParseCommandLine(arguments);
  if (!parsed.ok()) return Refuse(Message(parsed.status()));
  if (parsed->help) return Refuse("");
  if (parsed->version) {
    std::printf("nereid %s\n", NEREID_VERSION);
    return 0;
  }
  for (const std::string& warning : parsed->warnings) {
    std::fprintf(stderr, "%s\n", warning.c_str());
  }
  const std::optional<ProcessState> inherited = state.ok() ? *std::move(state) : std::nullopt;
  const ServerOptions options = WithInherited(std::move(parsed->options), inherited);
  if (absl::Status log = ConfigureLog(options.log); !log.ok()) {
    return FailToStart("configuring the log", log);
  }
  if (!state.ok()) {
    NLOG(Error) << Message(state.status());
  }
  StopSignal stop_signal;
  DeviceFailure device_failure(options, &stop_signal, inherited);

  absl::StatusOr<std::unique_ptr<Core>> core = Core::Create(options, device_failure.surroundings());
  if (stop_signal.reason()) device_failure.End(core.ok() ? core->get() : nullptr, nullptr);
  if (!core.ok()) return FailToStart("creating server", core.status());
  NLOG(Info) << "";
  LogRaw(LogLevel::kInfo, (*core)->StartupTables());
  // From the first open port on there may be requests to finish.
  stop_signal.Started();
  absl::StatusOr<std::unique_ptr<Services>> services = Services::Start(options, core->get());
  if (!services.ok()) return FailToStart("starting services", services.status());
  LogRaw(LogLevel::kInfo, (*services)->AddressTable());

  if (!stop_signal.Wait()) device_failure.End(core->get(), services->get());
  const absl::Status stopped = (*services)->Stop(std::chrono::seconds(options.exit_timeout_secs));
  if (!stopped.ok()) {
    NLOG(Error) << Message(stopped);
    std::fflush(nullptr);
    // What did not finish in time may still run: leave without tearing down what it uses.
    std::_Exit(1);
  }
  return 0;
}

}  // namespace nereid
