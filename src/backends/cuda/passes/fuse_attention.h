#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// softmax(scale·q·kᵀ + mask)·v of rank 4 becomes nereid.FMHA (ir/nereid_ops.h).
absl::Status FuseAttention(Graph& graph);

}  // namespace nereid::engine
