#include <cstdio>

#include "assembly/core.h"
#include "cli/commands.h"
#include "common/strings.h"

namespace nereid {

// Loads every version the server would load, the way it would, and reports what is not READY.
int Check(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0].rfind("--", 0) == 0) {
    std::fprintf(stderr, "Usage: nereid check <model repository>...\n");
    return 1;
  }
  ServerOptions options;
  options.repository.paths.insert(arguments.begin(), arguments.end());
  options.exit_on_error = false;
  options.metrics.endpoint.allow = false;
  options.log.info = false;
  options.log.error = false;
  options.log.warning = false;
  if (absl::Status log = ConfigureLog(options.log); !log.ok()) return 1;

  const absl::StatusOr<std::unique_ptr<Core>> core = Core::Create(options);
  if (!core.ok()) {
    std::fprintf(stderr, "%s\n", std::string(Message(core.status())).c_str());
    return 1;
  }
  int findings = 0;
  int models = 0;
  for (const ModelTableRow& row : (*core)->server().ModelTable()) {
    ++models;
    if (row.status == "READY") continue;
    ++findings;
    std::printf("%s%s%s: %s\n", row.name.c_str(), row.version == "-" ? "" : " version ",
                row.version == "-" ? "" : row.version.c_str(), row.status.c_str());
  }
  if (findings == 0) std::printf("%d model version(s) checked, nothing found\n", models);
  return findings == 0 ? 0 : 1;
}

}  // namespace nereid
