#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace nereid {

// The version a client wrote: kLatestVersion for none, otherwise a decimal number. INVALID_ARGUMENT
// with the protocol's texts for negative numbers and for everything else that is not a number.
absl::StatusOr<int64_t> ParseModelVersion(std::string_view text);

}  // namespace nereid
