#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace nereid {

// The grammar of option values, as existing command lines use it. Errors are INVALID_ARGUMENT and
// say what was given; the caller adds the option's name.

// true/on/1 and false/off/0, in any case.
absl::StatusOr<bool> ParseBool(const std::string& text);

// Leading blanks and what follows the digits are ignored, "12abc" is 12.
absl::StatusOr<int64_t> ParseInteger(const std::string& text, int64_t smallest, int64_t largest);

absl::StatusOr<double> ParseNumber(const std::string& text);

// Splits at the first `delimiter`; an error, naming the grammar, when there is none.
absl::StatusOr<std::pair<std::string, std::string>> SplitPair(const std::string& text,
                                                              char delimiter, const char* grammar);

}  // namespace nereid
