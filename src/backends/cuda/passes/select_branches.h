#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// An If whose condition is computed, and whose branches make outputs of the same known types and
// shapes, gives way to the nodes of both branches and a Where for each output: the GPU computes
// more than is needed, but need not ask the host. Only where no node of a branch can fail on what
// the other was chosen for.
absl::Status SelectBranches(Graph& graph);

}  // namespace nereid::engine
