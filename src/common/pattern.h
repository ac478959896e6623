#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}

namespace nereid {

// A compiled regular expression, matched in time linear in the text. Immutable; any thread.
class Pattern {
 public:
  enum class Case { kSensitive, kInsensitive };  // what holds unless the expression says otherwise

  // INVALID_ARGUMENT with the parser's text when `expression` is not one.
  static absl::StatusOr<std::unique_ptr<const Pattern>> Create(const std::string& expression,
                                                               Case sensitivity);
  ~Pattern();

  // True when the expression matches anywhere in `text`.
  bool Matches(std::string_view text) const;

 private:
  explicit Pattern(std::unique_ptr<re2::RE2> expression);
  const std::unique_ptr<re2::RE2> expression_;
};

}  // namespace nereid
