#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Moves views (reshapes, transposes) to where they meet others and go, or where they stand in
// nobody's way; what is computed stays, element for element:
//   reshape(transpose(view)) → transpose(reshape(view)), when each extent that the reshape makes
//     comes from axes that lie side by side before the transpose, too;
//   reshape(x · w + b), which keeps the last extent → reshape(x) · w + b, so that x · w takes what
//     is added to the reshaped sum; a Gemm becomes a MatMul and an Add;
//   reshape(cast(input)) → cast(reshape(input)), so that the cast meets what reads it;
//   transpose(x · w) + r → transpose(x · w + inverse transpose(r)), for the same reason.
// It asks for known shapes and goes on until nothing moves any more; simplify-reshapes and
// simplify-transposes take away what has met.
absl::Status MoveViews(Graph& graph);

}  // namespace nereid::engine
