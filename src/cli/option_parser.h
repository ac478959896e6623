#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/server_options.h"

namespace nereid {

struct ParsedCommandLine {
  ServerOptions options;
  bool help = false;
  bool version = false;
  std::vector<std::string> warnings;  // for standard error
};

// Parses what follows the program's name: "--name value", "--name=value", and unambiguous
// beginnings of names. INVALID_ARGUMENT (UNIMPLEMENTED for a feature that is not built) with the
// text to print: `Bad option: "--<name>".` and why, or `Unexpected argument: <word>`; an unknown
// name gets the nearest one suggested.
absl::StatusOr<ParsedCommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

// The usage text: options by group.
std::string UsageText();

// docs/options.md, made from the option table.
std::string OptionsDocument();

}  // namespace nereid
