#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// MoveViews, SimplifyReshapes and SimplifyTransposes in turn, until views that can meet have met.
// Asks for known shapes.
absl::Status SimplifyViews(Graph& graph);

}  // namespace nereid::engine
