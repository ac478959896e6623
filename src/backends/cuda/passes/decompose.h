#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Operators without device work of their own become several that have some: Attention,
// BatchNormalization of computed statistics, CastLike, DequantizeLinear, DynamicQuantizeLinear,
// Einsum, Hardmax, LRN, LpNormalization, MeanVarianceNormalization, QuantizeLinear,
// RotaryEmbedding, SwiGLU. ConvTranspose, OneHot and Resize take their plain form. A node stays as
// it is where an extent is not known, or in forms nobody exports.
absl::Status Decompose(Graph& graph);

}  // namespace nereid::engine
