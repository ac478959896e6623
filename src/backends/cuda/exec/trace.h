#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/exec/difference.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

// The graph with every floating value that its nodes make as an output, in the order of the nodes.
// Less is fused in it, since what is an output has to be written.
Graph WithAllOutputs(Graph graph);

// What each node gives on the GPU against the reference executor on the same graph, each named as
// the node that makes it: in the order of the nodes, so that the first that is off is where it goes
// wrong. Takes memory for all values at once, and the reference executor's time.
absl::StatusOr<std::vector<Difference>> TraceNodes(Engine& engine,
                                                   absl::Span<const HostTensor> inputs);

}  // namespace nereid::engine
