#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// One rewriting of a graph; the table of passes is their order.
struct Pass {
  const char* name;
  absl::Status (*run)(Graph& graph);
};

// Runs passes in order, verifying the graph before the first and after each. `limit` runs only so
// many
// (-1: all), to bisect a fault.
absl::Status RunPasses(absl::Span<const Pass> passes, Graph& graph, int limit = -1);

// Passes that need no shapes: dead code, identities, constant folding, common subexpressions.
absl::Span<const Pass> CleanupPasses();

}  // namespace nereid::engine
