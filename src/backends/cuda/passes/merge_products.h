#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Matrix products of one value with several constant weights (queries, keys and values; gate and
// up) become one product and a Split; their constant biases are added before it.
absl::Status MergeProducts(Graph& graph);

}  // namespace nereid::engine
