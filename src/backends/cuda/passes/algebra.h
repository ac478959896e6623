#pragma once

#include "absl/types/span.h"
#include "backends/cuda/passes/pass.h"

namespace nereid::engine {

// The rewritings that make a graph faster without changing what it computes but for rounding, in
// order. They ask for known shapes: run them on what Specialize returns.
absl::Span<const Pass> AlgebraPasses();

}  // namespace nereid::engine
