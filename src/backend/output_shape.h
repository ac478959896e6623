#pragma once

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nereid/model_config.h"
#include "nereid/shape.h"

namespace nereid {

// The shape a client sees for an output that the model made with `backend_shape`: reshape undone,
// the batch extent kept when the model batches. A scalar takes the extents of the configuration.
// INTERNAL when the model's shape does not fit the reshape.
absl::StatusOr<Shape> ClientShape(const TensorSpec& spec, absl::Span<const int64_t> backend_shape,
                                  bool model_batches);

}  // namespace nereid
