#include "cli/option_values.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "common/strings.h"

namespace nereid {

absl::StatusOr<bool> ParseBool(const std::string& text) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower == "true" || lower == "on" || lower == "1") return true;
  if (lower == "false" || lower == "off" || lower == "0") return false;
  return absl::InvalidArgumentError(StrCat("invalid value for bool option: ", text));
}

absl::StatusOr<int64_t> ParseInteger(const std::string& text, int64_t smallest, int64_t largest) {
  errno = 0;
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  if (end == text.c_str()) {
    return absl::InvalidArgumentError(StrCat("Invalid option value. Got ", text));
  }
  if (errno == ERANGE || value < smallest || value > largest) {
    return absl::InvalidArgumentError(StrCat("Provided option value is out of bound. Got ", text,
                                             ", expected ", smallest, " to ", largest));
  }
  return value;
}

absl::StatusOr<double> ParseNumber(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || !std::isfinite(value)) {
    return absl::InvalidArgumentError(StrCat("Invalid option value. Got ", text));
  }
  return value;
}

absl::StatusOr<std::pair<std::string, std::string>> SplitPair(const std::string& text,
                                                              char delimiter, const char* grammar) {
  const size_t at = text.find(delimiter);
  if (at == std::string::npos) {
    return absl::InvalidArgumentError(StrCat("expected ", grammar, ". Got ", text));
  }
  return std::make_pair(text.substr(0, at), text.substr(at + 1));
}

}  // namespace nereid
