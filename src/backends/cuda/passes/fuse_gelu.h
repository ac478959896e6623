#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// x/2·(1 + erf(x/√2)) becomes Gelu; x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))) its approximation.
absl::Status FuseGelu(Graph& graph);

}  // namespace nereid::engine
