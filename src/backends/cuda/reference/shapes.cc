#include "backends/cuda/reference/shapes.h"

#include <algorithm>

#include "common/strings.h"

namespace nereid::engine {

absl::StatusOr<int64_t> CountOf(absl::Span<const int64_t> shape) {
  absl::StatusOr<int64_t> count = ElementCount(shape);
  if (count.ok() && *count > kMaxElements) {
    return absl::InvalidArgumentError(
        StrCat("a tensor of shape ", ShapeToString(shape), " is too large"));
  }
  return count;
}

int64_t Product(absl::Span<const int64_t> extents) {
  uint64_t product = 1;
  for (const int64_t extent : extents) product *= static_cast<uint64_t>(extent);
  return static_cast<int64_t>(product);
}

Strides ContiguousStrides(absl::Span<const int64_t> shape) {
  Strides strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) {
    strides[d - 1] =
        static_cast<int64_t>(static_cast<uint64_t>(strides[d]) * static_cast<uint64_t>(shape[d]));
  }
  return strides;
}

Strides BroadcastStrides(absl::Span<const int64_t> from, absl::Span<const int64_t> to) {
  const Strides dense = ContiguousStrides(from);
  Strides strides(to.size(), 0);
  const size_t missing = to.size() - from.size();
  for (size_t d = 0; d < from.size(); ++d) {
    if (from[d] != 1) strides[d + missing] = dense[d];
  }
  return strides;
}

absl::StatusOr<Shape> BroadcastShapes(absl::Span<const int64_t> a, absl::Span<const int64_t> b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape shape(rank, 1);
  for (size_t back = 1; back <= rank; ++back) {
    const int64_t x = back <= a.size() ? a[a.size() - back] : 1;
    const int64_t y = back <= b.size() ? b[b.size() - back] : 1;
    if (x != y && x != 1 && y != 1) {
      return absl::InvalidArgumentError(
          StrCat("shapes ", ShapeToString(a), " and ", ShapeToString(b), " do not broadcast"));
    }
    shape[rank - back] = x == 1 ? y : x;
  }
  return shape;
}

absl::Status CheckBroadcastsTo(absl::Span<const int64_t> from, absl::Span<const int64_t> to) {
  const absl::StatusOr<Shape> shape = BroadcastShapes(from, to);
  if (shape.ok() && absl::Span<const int64_t>(*shape) == to) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("shape ", ShapeToString(from), " does not broadcast to ", ShapeToString(to)));
}

absl::StatusOr<size_t> AxisOf(int64_t axis, size_t rank) {
  const auto signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    return absl::InvalidArgumentError(
        StrCat("axis ", axis, " is out of range for a tensor of rank ", rank));
  }
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

absl::StatusOr<std::vector<size_t>> AxesOf(absl::Span<const int64_t> axes, size_t rank) {
  std::vector<size_t> result;
  for (const int64_t axis : axes) {
    absl::StatusOr<size_t> at = AxisOf(axis, rank);
    if (!at.ok()) return at.status();
    if (std::find(result.begin(), result.end(), *at) != result.end()) {
      return absl::InvalidArgumentError(StrCat("axis ", axis, " is given twice"));
    }
    result.push_back(*at);
  }
  return result;
}

AxisView ViewAlong(absl::Span<const int64_t> shape, size_t axis) {
  return {.outer = Product(shape.subspan(0, axis)),
          .extent = shape[axis],
          .inner = Product(shape.subspan(axis + 1))};
}

}  // namespace nereid::engine
