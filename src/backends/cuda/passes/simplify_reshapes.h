#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Flatten, Squeeze and Unsqueeze to known shapes become Reshape with a constant target; in a row,
// they become one; one that changes nothing goes. A Gather of everything in order is one of them. A
// Softmax along the last axis between two that keep it works without them. An Expand goes where the
// operator that reads it broadcasts as far without it.
absl::Status SimplifyReshapes(Graph& graph);

}  // namespace nereid::engine
