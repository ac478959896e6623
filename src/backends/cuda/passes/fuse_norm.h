#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// (x - mean(x)) / √(mean((x - mean(x))²) + ε) over the last axes becomes LayerNormalization, and
// x / √(mean(x²) + ε) RMSNormalization, with the scale and bias that follow.
absl::Status FuseNorm(Graph& graph);

}  // namespace nereid::engine
