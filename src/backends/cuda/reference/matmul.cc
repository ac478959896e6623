#include "backends/cuda/reference/matmul.h"

#include <cmath>
#include <type_traits>

#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Unsigned where wrapping would otherwise be undefined.
template <typename C>
using Wrapping = std::conditional_t<std::is_same_v<C, int64_t>, uint64_t, C>;

// c[m,n] += a[m,k] b[k,n], all rows dense: the innermost loop runs along rows of b and c.
template <typename C>
void Accumulate(const C* a, const C* b, C* c, int64_t m, int64_t k, int64_t n) {
  using W = Wrapping<C>;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t p = 0; p < k; ++p) {
      const auto factor = static_cast<W>(a[i * k + p]);
      const C* row = b + p * n;
      C* to = c + i * n;
      for (int64_t j = 0; j < n; ++j) {
        to[j] = static_cast<C>(static_cast<W>(to[j]) + factor * static_cast<W>(row[j]));
      }
    }
  }
}

}  // namespace

template <typename C>
absl::StatusOr<Numbers<C>> MultiplyMatrices(const Numbers<C>& a, const Numbers<C>& b) {
  Shape left = a.shape;
  Shape right = b.shape;
  if (left.empty() || right.empty()) return Refuse("a scalar has no matrix product");
  const bool is_row = left.size() == 1;
  const bool is_column = right.size() == 1;
  if (is_row) left.insert(left.begin(), 1);
  if (is_column) right.push_back(1);
  const int64_t m = left[left.size() - 2];
  const int64_t k = left.back();
  const int64_t n = right.back();
  if (right[right.size() - 2] != k) {
    return Refuse("shapes ", ShapeToString(a.shape), " and ", ShapeToString(b.shape),
                  " do not multiply");
  }
  left.resize(left.size() - 2);
  right.resize(right.size() - 2);
  NEREID_ASSIGN_OR_RETURN(Shape batch, BroadcastShapes(left, right));
  Numbers<C> result{.values = {}, .shape = batch};
  if (!is_row) result.shape.push_back(m);
  if (!is_column) result.shape.push_back(n);
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(result.shape));
  result.values.resize(static_cast<size_t>(count));
  if (count == 0) return result;
  ForEachOffset<2>(batch, {BroadcastStrides(left, batch), BroadcastStrides(right, batch)},
                   [&](int64_t i, const auto& at) {
                     Accumulate(a.values.data() + at[0] * m * k, b.values.data() + at[1] * k * n,
                                result.values.data() + i * m * n, m, k, n);
                   });
  return result;
}

template absl::StatusOr<Numbers<double>> MultiplyMatrices(const Numbers<double>&,
                                                          const Numbers<double>&);
template absl::StatusOr<Numbers<int64_t>> MultiplyMatrices(const Numbers<int64_t>&,
                                                           const Numbers<int64_t>&);
template absl::StatusOr<Numbers<uint64_t>> MultiplyMatrices(const Numbers<uint64_t>&,
                                                            const Numbers<uint64_t>&);

namespace {

Results MatMul(const Call& call) {
  const DataType type = call.In(0).type();
  if (call.In(1).type() != type) return Refuse("the factors differ in type");
  return VisitCompute(type, [&]<typename C>() -> Results {
    NEREID_ASSIGN_OR_RETURN(const Numbers<C> product,
                            MultiplyMatrices<C>({Read<C>(call.In(0)), call.ShapeOf(0)},
                                                {Read<C>(call.In(1)), call.ShapeOf(1)}));
    return One(Write(type, product.shape, product.values));
  });
}

template <typename C>
Numbers<C> Matrix(const HostTensor& x, bool transposed) {
  Numbers<C> matrix{Read<C>(x), x.shape()};
  if (!transposed) return matrix;
  const int64_t rows = x.shape()[0];
  const int64_t columns = x.shape()[1];
  Numbers<C> result{std::vector<C>(matrix.values.size()), {columns, rows}};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      result.values[static_cast<size_t>(c * rows + r)] =
          matrix.values[static_cast<size_t>(r * columns + c)];
    }
  }
  return result;
}

// y = alpha · op(a) · op(b) + beta · c
Results Gemm(const Call& call) {
  if (call.ShapeOf(0).size() != 2 || call.ShapeOf(1).size() != 2) {
    return Refuse("the factors are not matrices");
  }
  NEREID_ASSIGN_OR_RETURN(
      Numbers<double> y,
      MultiplyMatrices(Matrix<double>(call.In(0), call.node.Int("transA", 0) != 0),
                       Matrix<double>(call.In(1), call.node.Int("transB", 0) != 0)));
  const double alpha = call.node.Float("alpha", 1);
  for (double& value : y.values) value *= alpha;
  if (call.Has(2)) {
    NEREID_RETURN_IF_ERROR(CheckBroadcastsTo(call.ShapeOf(2), y.shape));
    const double beta = call.node.Float("beta", 1);
    const std::vector<double> c = Read<double>(call.In(2));
    ForEachOffset<1>(y.shape, {BroadcastStrides(call.ShapeOf(2), y.shape)},
                     [&](int64_t i, const auto& at) {
                       y.values[static_cast<size_t>(i)] += beta * c[static_cast<size_t>(at[0])];
                     });
  }
  return One(Write(call.In(0).type(), y.shape, y.values));
}

// By elimination with row pivots.
double Determinant(double* a, int64_t n) {
  double determinant = 1;
  for (int64_t c = 0; c < n; ++c) {
    int64_t pivot = c;
    for (int64_t r = c + 1; r < n; ++r) {
      if (std::fabs(a[r * n + c]) > std::fabs(a[pivot * n + c])) pivot = r;
    }
    if (a[pivot * n + c] == 0) return 0;
    if (pivot != c) determinant = -determinant;
    for (int64_t k = 0; k < n; ++k) std::swap(a[c * n + k], a[pivot * n + k]);
    determinant *= a[c * n + c];
    for (int64_t r = c + 1; r < n; ++r) {
      const double factor = a[r * n + c] / a[c * n + c];
      for (int64_t k = c; k < n; ++k) a[r * n + k] -= factor * a[c * n + k];
    }
  }
  return determinant;
}

Results Det(const Call& call) {
  Shape shape = call.ShapeOf(0);
  if (shape.size() < 2 || shape[shape.size() - 1] != shape[shape.size() - 2]) {
    return Refuse("the input is not square");
  }
  const int64_t n = shape.back();
  shape.resize(shape.size() - 2);
  std::vector<double> values = Read<double>(call.In(0));
  std::vector<double> results(static_cast<size_t>(Product(shape)));
  for (size_t i = 0; i < results.size(); ++i) {
    results[i] = Determinant(values.data() + static_cast<int64_t>(i) * n * n, n);
  }
  return One(Write(call.In(0).type(), shape, results));
}

constexpr OperatorRow kOperators[] = {
    {"Det", Det, 1, Accepts::kFloats},
    {"Gemm", Gemm, 2},
    {"MatMul", MatMul, 2},
};

}  // namespace

absl::Span<const OperatorRow> MatMulOperators() { return kOperators; }

}  // namespace nereid::engine
