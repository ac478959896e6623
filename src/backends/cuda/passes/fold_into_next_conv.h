#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Additions and multiplications by a constant for each channel become part of the weight and bias
// of the convolution that reads the result, where no padding comes between.
absl::Status FoldIntoNextConv(Graph& graph);

}  // namespace nereid::engine
