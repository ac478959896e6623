#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace nereid {

// Checks that `text` is one JSON value in the protocol's dialect: RFC 8259, and in addition a byte
// order mark in front, NaN, Infinity, Inf and their negatives as numbers, and any bytes from 0x20
// up inside strings. Needs memory for one byte a nesting level; nesting has no limit.
//   INTERNAL "failed to parse the request JSON buffer: <what> at <offset>".
absl::Status CheckJsonSyntax(std::string_view text);

// Position of the first character behind a byte order mark and blanks.
size_t SkipJsonPreamble(std::string_view text);

}  // namespace nereid
