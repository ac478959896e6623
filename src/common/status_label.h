#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace nereid {

// "Invalid argument", "Not found", …: a code as logs, the repository index and start-up errors name
// it.
std::string_view StatusLabel(absl::StatusCode code);

}  // namespace nereid
