#pragma once

#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nereid/data_type.h"

namespace nereid {

// Extents of a tensor, outermost first; -1 is an extent that is not known yet (in configurations
// only).
using Shape = absl::InlinedVector<int64_t, 6>;

// Product of the extents; 1 for a scalar. INVALID_ARGUMENT when an extent is negative or the
// product does not fit in int64.
absl::StatusOr<int64_t> ElementCount(absl::Span<const int64_t> shape);

// Bytes of a dense tensor with fixed-size elements. INVALID_ARGUMENT on overflow, on a negative
// extent, and for types without a fixed size.
absl::StatusOr<int64_t> DenseByteSize(DataType type, absl::Span<const int64_t> shape);

// "[1,16]": without spaces, as the protocol's messages print shapes.
std::string ShapeToString(absl::Span<const int64_t> shape);

}  // namespace nereid
