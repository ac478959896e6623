#include <cstddef>
#include <cstdio>
#include <utility>

#include "assembly/backend_tool.h"
#include "cli/commands.h"
#include "common/strings.h"

namespace nereid {
namespace {

// Takes `option` and its value out of the arguments: what is for us, not for the backend's tool.
// False when the value is missing.
bool TakeOption(const std::string& option, std::vector<std::string>& arguments,
                std::string* value) {
  for (size_t i = 0; i < arguments.size();) {
    const bool joined = arguments[i].rfind(option + "=", 0) == 0;
    if (!joined && arguments[i] != option) {
      ++i;
      continue;
    }
    if (!joined && i + 1 == arguments.size()) return false;
    *value = joined ? arguments[i].substr(option.size() + 1) : arguments[i + 1];
    const auto at = arguments.begin() + static_cast<std::ptrdiff_t>(i);
    arguments.erase(at, at + (joined ? 1 : 2));
  }
  return true;
}

}  // namespace

int Compile(std::vector<std::string> arguments) {
  std::string backend = "cuda", directory;
  for (const auto& [option, value] :
       {std::pair{"--backend", &backend}, std::pair{"--backend-directory", &directory}}) {
    if (TakeOption(option, arguments, value)) continue;
    std::fprintf(stderr, "nereid compile: %s needs a value\n", option);
    return 1;
  }
  arguments.insert(arguments.begin(), "nereid compile");
  const absl::StatusOr<int> status = RunBackendTool(backend, directory, arguments);
  if (status.ok()) return *status;
  std::fprintf(stderr, "nereid compile: %s\n", std::string(Message(status.status())).c_str());
  return 1;
}

}  // namespace nereid
