#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Nodes whose results nothing reads go.
absl::Status RemoveDeadCode(Graph& graph);

// Nodes that return what they get go: Identity, a Cast to the type there is, a sum with 0, …: as
// far as types and shapes are known.
absl::Status RemoveIdentities(Graph& graph);

// Nodes that depend on constants only become constants, within FoldLimits.
absl::Status FoldConstants(Graph& graph);

// Of nodes that compute the same from the same, one stays; equal constants become one.
absl::Status MergeCommonSubexpressions(Graph& graph);

}  // namespace nereid::engine
