#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Products of a value and its gate become one operator: x·sigmoid(a·x) Swish, x·hardsigmoid(x) and
// x·clip(x + 3, 0, 6) / 6 HardSwish, x·tanh(softplus(x)) Mish; clip(x + 3, 0, 6) / 6 is
// HardSigmoid.
absl::Status FuseSwish(Graph& graph);

}  // namespace nereid::engine
