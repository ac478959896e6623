#include "common/pattern.h"

#include <re2/re2.h>

#include <utility>

#include "common/strings.h"

namespace nereid {

Pattern::Pattern(std::unique_ptr<re2::RE2> expression) : expression_(std::move(expression)) {}
Pattern::~Pattern() = default;

absl::StatusOr<std::unique_ptr<const Pattern>> Pattern::Create(const std::string& expression,
                                                               Case sensitivity) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(sensitivity == Case::kSensitive);
  auto compiled = std::make_unique<re2::RE2>(expression, options);
  if (!compiled->ok()) {
    return absl::InvalidArgumentError(
        StrCat("'", expression, "' is not a regular expression: ", compiled->error()));
  }
  return std::unique_ptr<const Pattern>(new Pattern(std::move(compiled)));
}

bool Pattern::Matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *expression_);
}

}  // namespace nereid
