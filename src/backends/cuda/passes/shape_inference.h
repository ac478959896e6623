#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Infers types and extents of every value from those of the inputs, and the content of the values
// that only describe shapes (Shape, Gather of it, Concat, arithmetic): those become constants as
// far as they are known. With all input extents given, everything but data-dependent extents
// (NonZero, …) is known afterwards. INVALID_ARGUMENT, naming the node, when inputs do not fit an
// operator.
absl::Status InferShapes(Graph& graph);

// A copy of `graph` for these input shapes: extents set, shapes inferred, constants folded, dead
// nodes removed, If with a known condition inlined.
absl::StatusOr<Graph> Specialize(const Graph& graph, absl::Span<const Shape> input_shapes);

}  // namespace nereid::engine
