#include <cstdio>

#include "assembly/core.h"
#include "cli/commands.h"
#include "cli/option_parser.h"
#include "cli/services.h"
#include "cli/signals.h"
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

}  // namespace

int Serve(const std::vector<std::string>& arguments) {
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
  const ServerOptions& options = parsed->options;
  if (absl::Status log = ConfigureLog(options.log); !log.ok()) {
    return FailToStart("configuring the log", log);
  }
  StopSignal stop_signal;

  absl::StatusOr<std::unique_ptr<Core>> core = Core::Create(options);
  if (!core.ok()) return FailToStart("creating server", core.status());
  NLOG(Info) << "";
  LogRaw(LogLevel::kInfo, (*core)->StartupTables());
  // From the first open port on there may be requests to finish.
  stop_signal.Started();
  absl::StatusOr<std::unique_ptr<Services>> services = Services::Start(options, core->get());
  if (!services.ok()) return FailToStart("starting services", services.status());
  LogRaw(LogLevel::kInfo, (*services)->AddressTable());

  stop_signal.Wait();
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
