#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "config/server_options.h"

namespace nereid {

// One command-line option. Adding one is adding a row; the help text and docs/options.md are made
// from these rows.
struct OptionRow {
  const char* group;
  const char* name;
  const char* argument;  // "<string>", a grammar, or "" when it takes no value
  const char* default_text;
  const char* help;
  // Puts the value into the options. Null for an option whose feature is not built: then only a
  // value equal to one of `defaults` (separated by '|'; a leading '*' is any text) is accepted.
  absl::Status (*set)(ServerOptions&, const std::string& value);
  const char* feature = nullptr;
  const char* defaults = nullptr;
};

// All options, by group in the order of the help text.
absl::Span<const OptionRow> OptionTable();

}  // namespace nereid
