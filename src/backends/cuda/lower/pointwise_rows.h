#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/codegen/pointwise.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// True for nodes whose every output element depends on one element of each input (after
// broadcasting), and which the pointwise generator can compute.
bool IsPointwise(const Node& node);

// The generator's step for a pointwise node: function and parameters. Operands and the result's
// type are the caller's. For Clip with a bound left out, the function is "Max" or "Min".
PointwiseStep PointwiseStepOf(const Node& node);

}  // namespace nereid::engine
