#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/crash_report.h"

int main(int argc, char** argv) {
  nereid::ReportCrashes();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && nereid::PrintDocument(arguments[0])) return 0;
  if (!arguments.empty() && arguments[0] == "check") {
    return nereid::Check({arguments.begin() + 1, arguments.end()});
  }
  if (!arguments.empty() && arguments[0] == "compile") {
    return nereid::Compile({arguments.begin() + 1, arguments.end()});
  }
  return nereid::Serve(arguments);
}
