#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nereid/shape.h"

namespace nereid::engine {

// Arithmetic of extents for the reference operators. Every refusal is INVALID_ARGUMENT.

// Distance in elements between neighbours along each axis; 0 repeats.
using Strides = absl::InlinedVector<int64_t, 6>;

// A tensor of the reference executor has at most so many elements: a hostile shape is refused
// before anything is allocated for it.
inline constexpr int64_t kMaxElements = int64_t{1} << 29;

// Product of the extents; refused when one is negative or there are more than kMaxElements.
absl::StatusOr<int64_t> CountOf(absl::Span<const int64_t> shape);

// Product of extents that are known to be sound: not negative, and either one is 0 (the others may
// then be anything) or there are at most kMaxElements elements.
int64_t Product(absl::Span<const int64_t> extents);

Strides ContiguousStrides(absl::Span<const int64_t> shape);

// Strides that read a dense tensor of shape `from` as if it had shape `to` (numpy's rule).
Strides BroadcastStrides(absl::Span<const int64_t> from, absl::Span<const int64_t> to);

absl::StatusOr<Shape> BroadcastShapes(absl::Span<const int64_t> a, absl::Span<const int64_t> b);

// Refused unless `from` broadcasts to exactly `to`.
absl::Status CheckBroadcastsTo(absl::Span<const int64_t> from, absl::Span<const int64_t> to);

// `axis` in [-rank, rank) counted from the front.
absl::StatusOr<size_t> AxisOf(int64_t axis, size_t rank);

// The same for several, in the given order; refused when one occurs twice.
absl::StatusOr<std::vector<size_t>> AxesOf(absl::Span<const int64_t> axes, size_t rank);

// A dense tensor seen from one axis.
struct AxisView {
  int64_t outer = 1;
  int64_t extent = 1;
  int64_t inner = 1;
};
AxisView ViewAlong(absl::Span<const int64_t> shape, size_t axis);

// Calls visit(line, base) for each line along the axis: its elements are at base + k·view.inner.
template <typename Visit>
void ForEachLine(const AxisView& view, Visit visit) {
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t i = 0; i < view.inner; ++i) {
      visit(static_cast<size_t>(o * view.inner + i),
            static_cast<size_t>(o * view.extent * view.inner + i));
    }
  }
}

// Calls visit(i, offsets) for each index of `shape` in order: i counts from 0, offsets[k] is that
// of strides[k].
template <size_t N, typename Visit>
void ForEachOffset(absl::Span<const int64_t> shape, const std::array<Strides, N>& strides,
                   Visit visit) {
  const int64_t count = Product(shape);
  std::array<int64_t, N> at{};
  Strides index(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    visit(i, at);
    for (size_t d = shape.size(); d-- > 0;) {
      for (size_t n = 0; n < N; ++n) at[n] += strides[n][d];
      if (++index[d] < shape[d]) break;
      for (size_t n = 0; n < N; ++n) at[n] -= strides[n][d] * shape[d];
      index[d] = 0;
    }
  }
}

// Calls visit(i, index) for each index of `shape` in order.
template <typename Visit>
void ForEachIndex(absl::Span<const int64_t> shape, Visit visit) {
  const int64_t count = Product(shape);
  Strides index(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    visit(i, static_cast<const Strides&>(index));
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

}  // namespace nereid::engine
