#include <cstdio>

#include "assembly/metrics_document.h"
#include "cli/commands.h"
#include "cli/option_parser.h"

namespace nereid {

bool PrintDocument(const std::string& argument) {
  struct Row {
    const char* argument;
    std::string (*make)();
  };
  static constexpr Row kRows[] = {
      {"--options-document", OptionsDocument},
      {"--metrics-document", MetricsDocument},
  };
  for (const Row& row : kRows) {
    if (argument != row.argument) continue;
    std::fputs(row.make().c_str(), stdout);
    return true;
  }
  return false;
}

}  // namespace nereid
