#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Transposes in a row become one; one that moves nothing goes, one that moves only extents of 1 is
// a Reshape. Transposes sink below operators that work on single elements, to meet others.
absl::Status SimplifyTransposes(Graph& graph);

}  // namespace nereid::engine
