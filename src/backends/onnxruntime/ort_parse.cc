#include "backends/onnxruntime/ort_parse.h"

#include <charconv>
#include <system_error>

#include "absl/strings/ascii.h"
#include "common/strings.h"

namespace nereid::ort {

absl::StatusOr<int> ParseInt(std::string_view name, const std::string& text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end) return value;
  return absl::InvalidArgumentError(
      StrCat("failed to convert '", text, "' to integer for parameter '", name, "'"));
}

absl::StatusOr<bool> ParseBool(std::string_view name, const std::string& text) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower == "true" || lower == "on" || lower == "1") return true;
  if (lower == "false" || lower == "off" || lower == "0") return false;
  return absl::InvalidArgumentError(
      StrCat("failed to convert '", text, "' to boolean for parameter '", name, "'"));
}

}  // namespace nereid::ort
