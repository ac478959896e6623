#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pattern.h"
#include "nereid/parameter.h"

namespace nereid {

// Turns the headers (gRPC: metadata) whose names match an expression into request parameters.
// Immutable; any thread.
class HeaderForwarding {
 public:
  // An empty expression forwards nothing. Matching ignores case unless the expression says
  // otherwise.
  static absl::StatusOr<std::unique_ptr<const HeaderForwarding>> Create(
      const std::string& expression);

  bool enabled() const { return pattern_ != nullptr; }

  // Adds a string parameter when `name` matches. INVALID_ARGUMENT when it matches but is one of the
  // names that mean something to the server.
  absl::Status Forward(std::string_view name, std::string_view value, Parameters& parameters) const;

 private:
  explicit HeaderForwarding(std::unique_ptr<const Pattern> pattern);
  const std::unique_ptr<const Pattern> pattern_;  // nullptr: nothing is forwarded
};

}  // namespace nereid
