#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// BatchNormalization, and additions and multiplications by a constant for each channel, become part
// of the weight and bias of the convolution (also a transposed one) that they follow.
absl::Status FoldIntoConv(Graph& graph);

}  // namespace nereid::engine
