#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// A residual of the same shape and a Relu behind a convolution become part of it: nereid.FusedConv
// (ir/nereid_ops.h).
absl::Status FuseConvEpilogue(Graph& graph);

}  // namespace nereid::engine
