#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace nereid::ort {

// Values of settings and parameters; `name` is for the message. INVALID_ARGUMENT when `text` is
// none.
absl::StatusOr<int> ParseInt(std::string_view name, const std::string& text);
// true, on, 1, false, off, 0 in any case.
absl::StatusOr<bool> ParseBool(std::string_view name, const std::string& text);

}  // namespace nereid::ort
