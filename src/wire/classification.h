#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "nereid/model_config.h"
#include "nereid/response.h"

namespace nereid {

// Tensors with more elements than this are not classified.
inline constexpr int64_t kMaxClassificationElements = 1'000'000;

// The `count` largest values of each batch entry of `output`, as a BYTES tensor of strings
// "<value>:<index>" or "<value>:<index>:<label>" with the largest first. Equal values keep the
// order of their indices, and NaN comes last. `has_batch_dimension`: the first extent is the batch.
//   INVALID_ARGUMENT: a type without an order, or too many elements.
//   INTERNAL: the data does not fit the shape, or cannot be read by the host.
absl::StatusOr<OutputTensor> Classify(const OutputTensor& output, uint32_t count,
                                      bool has_batch_dimension);

}  // namespace nereid
