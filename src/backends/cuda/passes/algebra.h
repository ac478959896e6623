#pragma once

#include "absl/types/span.h"
#include "backends/cuda/passes/pass.h"

namespace nereid::engine {

// The rewritings that make a graph faster without changing what it computes but for rounding.

// Once for a model, so that what they make of constants is shared by all its programs.
absl::Span<const Pass> LoadPasses();

// Once for each set of input shapes, on what Specialize returns: most find more when extents are
// known, and some ask for it. They copy no weights.
absl::Span<const Pass> ShapePasses();

}  // namespace nereid::engine
