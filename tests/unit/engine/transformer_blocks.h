#pragma once

#include <cmath>
#include <vector>

#include "unit/engine/passes_fixture.h"

namespace nereid::engine {

// Pieces of transformers as exporters write them.

inline ValueId Transposed(GraphMaker& m, ValueId x, std::vector<int64_t> order) {
  return m.Op("Transpose", {x}, {{"perm", std::move(order)}});
}

// Self-attention of torch.nn.MultiheadAttention with batches first: x [N, L, E] → [N, L, E]. It
// works on sequences first, cuts queries, keys and values out of one product, and folds heads into
// the batch on the way; queries and keys are both multiplied by the root of the scale.
inline ValueId TorchAttention(GraphMaker& m, ValueId x, int64_t heads) {
  const Shape shape = m.ShapeOf(x);
  const int64_t n = shape[0], length = shape[1], e = shape[2], d = e / heads;
  const ValueId sequence_first = Transposed(m, x, {1, 0, 2});
  ValueId joined = m.Op("MatMul", {sequence_first, m.Weight({e, 3 * e})});
  joined = m.Op("Add", {m.Weight({3 * e}), joined});
  joined = m.Op("Reshape", {joined, m.Ints({length, n, 3, e})});
  joined = Transposed(m, m.Op("Unsqueeze", {joined, m.Ints({0})}), {3, 1, 2, 0, 4});
  joined = m.Op("Squeeze", {joined, m.Ints({-2})});
  const auto part = [&](int64_t i) {
    const ValueId row =
        m.Op("Gather", {joined, m.Constant(HostTensor::Scalar(i))}, {{"axis", int64_t{0}}});
    const ValueId folded = m.Op("Reshape", {row, m.Ints({length, n * heads, d})});
    return m.Op("Reshape", {Transposed(m, folded, {1, 0, 2}), m.Ints({n, heads, length, d})});
  };
  const ValueId q = part(0), k = part(1), v = part(2);
  const float root = std::sqrt(std::sqrt(1 / static_cast<float>(d)));
  const ValueId scores =
      m.Op("MatMul", {m.Op("Mul", {q, m.Number(root)}),
                      m.Op("Mul", {Transposed(m, k, {0, 1, 3, 2}), m.Number(root)})});
  ValueId y = m.Op("MatMul", {m.Op("Softmax", {scores}, {{"axis", int64_t{-1}}}), v});
  y = m.Op("Reshape", {Transposed(m, y, {2, 0, 1, 3}), m.Ints({length * n, e})});
  y = m.Op("Gemm", {y, m.Weight({e, e}), m.Weight({e})}, {{"transB", int64_t{1}}});
  return Transposed(m, m.Op("Reshape", {y, m.Ints({length, n, e})}), {1, 0, 2});
}

}  // namespace nereid::engine
