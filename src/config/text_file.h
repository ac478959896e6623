#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace nereid {

// The content of a regular file of at most `max_bytes`. INTERNAL
// "failed to open text file for read <path>: <why>".
absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t max_bytes);

}  // namespace nereid
