#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// A Pad with zeros becomes padding of the convolution that reads it.
absl::Status FusePad(Graph& graph);

}  // namespace nereid::engine
