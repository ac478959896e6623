#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "nereid/shape.h"

namespace nereid::engine {

// A dense tensor of numbers to compute with.
template <typename C>
struct Numbers {
  std::vector<C> values;
  Shape shape;
};

// numpy.matmul: matrices are multiplied, leading extents broadcast, vectors are rows on the left
// and columns on the right. C is double, int64_t or uint64_t; integers wrap.
template <typename C>
absl::StatusOr<Numbers<C>> MultiplyMatrices(const Numbers<C>& a, const Numbers<C>& b);

extern template absl::StatusOr<Numbers<double>> MultiplyMatrices(const Numbers<double>&,
                                                                 const Numbers<double>&);
extern template absl::StatusOr<Numbers<int64_t>> MultiplyMatrices(const Numbers<int64_t>&,
                                                                  const Numbers<int64_t>&);
extern template absl::StatusOr<Numbers<uint64_t>> MultiplyMatrices(const Numbers<uint64_t>&,
                                                                   const Numbers<uint64_t>&);

}  // namespace nereid::engine
