#include "wire/header_forwarding.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

constexpr std::string_view kReservedNames[] = {
    "sequence_id", "sequence_start", "sequence_end",      "priority",
    "timeout",     "headers",        "binary_data_output"};
constexpr std::string_view kReservedPrefix = "triton_";

bool IsReserved(std::string_view name) {
  return name.starts_with(kReservedPrefix) ||
         std::find(std::begin(kReservedNames), std::end(kReservedNames), name) !=
             std::end(kReservedNames);
}

}  // namespace

HeaderForwarding::HeaderForwarding(std::unique_ptr<const Pattern> pattern)
    : pattern_(std::move(pattern)) {}

absl::StatusOr<std::unique_ptr<const HeaderForwarding>> HeaderForwarding::Create(
    const std::string& expression) {
  std::unique_ptr<const Pattern> pattern;
  if (!expression.empty()) {
    NEREID_ASSIGN_OR_RETURN(pattern, Pattern::Create(expression, Pattern::Case::kInsensitive));
  }
  return std::unique_ptr<const HeaderForwarding>(new HeaderForwarding(std::move(pattern)));
}

absl::Status HeaderForwarding::Forward(std::string_view name, std::string_view value,
                                       Parameters& parameters) const {
  if (!enabled() || !pattern_->Matches(name)) return absl::OkStatus();
  if (IsReserved(name)) {
    return absl::InvalidArgumentError(
        StrCat("Header '", name, "' is reserved for Triton usage and cannot be forwarded."));
  }
  parameters.push_back({std::string(name), std::string(value)});
  return absl::OkStatus();
}

}  // namespace nereid
