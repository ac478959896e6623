#pragma once

#include <string>

#include "absl/status/status.h"

namespace nereid {

// "Invalid argument: <message>": a failure as it is kept for the repository index and the log.
std::string StatusText(const absl::Status& status);

}  // namespace nereid
