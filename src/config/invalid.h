#pragma once

#include "absl/status/status.h"
#include "common/strings.h"

namespace nereid {

// INVALID_ARGUMENT with the pieces, one after the other, as its message.
template <typename... Pieces>
absl::Status Invalid(const Pieces&... pieces) {
  return absl::InvalidArgumentError(StrCat(pieces...));
}

}  // namespace nereid
