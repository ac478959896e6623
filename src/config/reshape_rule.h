#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/types/span.h"

namespace nereid {

// Whether data of shape `dims` can be read as `reshape` without moving: nothing when it can,
// otherwise why not. Both hold extents >= 1 or -1. The fixed extents between the -1s must multiply
// to the same products pairwise: [2,4,-1,6] fits [8,-1,6], but [4,-1] does not fit [-1,4]. An empty
// reshape stands for one element. An extent product beyond int64 fits nothing.
std::optional<std::string_view> ReshapeMismatch(absl::Span<const int64_t> dims,
                                                absl::Span<const int64_t> reshape);

}  // namespace nereid
