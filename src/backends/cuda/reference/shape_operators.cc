#include <algorithm>

#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Operators that look at nothing but extents: the elements stay as they lie.

Results ShapeOf(const Call& call) {
  const Shape& shape = call.ShapeOf(0);
  const auto rank = static_cast<int64_t>(shape.size());
  const auto clamped = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = clamped(call.node.Int("start", 0));
  const int64_t end = std::max(start, clamped(call.node.Int("end", rank)));
  return One(HostTensor::Vector(absl::Span<const int64_t>(shape).subspan(
      static_cast<size_t>(start), static_cast<size_t>(end - start))));
}

Results Size(const Call& call) { return One(HostTensor::Scalar(call.In(0).element_count())); }

Results Reshape(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> target, call.Integers(1));
  const bool zero_is_zero = call.node.Int("allowzero", 0) != 0;
  Shape shape(target.begin(), target.end());
  int64_t* open = nullptr;
  int64_t known = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && !zero_is_zero) {
      if (d >= x.shape().size()) return Refuse("there is no extent ", d, " to keep");
      shape[d] = x.shape()[d];
    }
    if (shape[d] == -1) {
      if (open != nullptr) return Refuse("two extents are -1");
      open = &shape[d];
      continue;
    }
    if (shape[d] < 0 || shape[d] > kMaxElements) return Refuse("an extent is ", shape[d]);
    known = std::min(known * shape[d], kMaxElements * 2);
  }
  if (open != nullptr) *open = known == 0 ? 0 : x.element_count() / known;
  const absl::StatusOr<int64_t> count = CountOf(shape);
  if (!count.ok() || *count != x.element_count()) {
    return Refuse(ShapeToString(x.shape()), " does not reshape to ", ShapeToString(target));
  }
  return One(x.Reshaped(std::move(shape)));
}

Results Flatten(const Call& call) {
  const HostTensor& x = call.In(0);
  const auto rank = static_cast<int64_t>(x.shape().size());
  int64_t axis = call.node.Int("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis > rank) return Refuse("axis is ", call.node.Int("axis", 1));
  const absl::Span<const int64_t> extents = x.shape();
  return One(x.Reshaped({Product(extents.subspan(0, static_cast<size_t>(axis))),
                         Product(extents.subspan(static_cast<size_t>(axis)))}));
}

Results Squeeze(const Call& call) {
  const HostTensor& x = call.In(0);
  std::vector<bool> is_removed(x.shape().size());
  if (call.Has(1)) {
    NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> given, call.Integers(1));
    NEREID_ASSIGN_OR_RETURN(const std::vector<size_t> axes, AxesOf(given, x.shape().size()));
    for (const size_t axis : axes) {
      if (x.shape()[axis] != 1) return Refuse("axis ", axis, " has extent ", x.shape()[axis]);
      is_removed[axis] = true;
    }
  } else {
    for (size_t d = 0; d < is_removed.size(); ++d) is_removed[d] = x.shape()[d] == 1;
  }
  Shape shape;
  for (size_t d = 0; d < is_removed.size(); ++d) {
    if (!is_removed[d]) shape.push_back(x.shape()[d]);
  }
  return One(x.Reshaped(std::move(shape)));
}

Results Unsqueeze(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> given, call.Integers(1));
  const size_t rank = x.shape().size() + given.size();
  NEREID_ASSIGN_OR_RETURN(std::vector<size_t> axes, AxesOf(given, rank));
  std::sort(axes.begin(), axes.end());
  Shape shape = x.shape();
  for (const size_t axis : axes) shape.insert(shape.begin() + static_cast<long>(axis), 1);
  return One(x.Reshaped(std::move(shape)));
}

constexpr auto kAnything = Accepts::kAnything;

constexpr OperatorRow kOperators[] = {
    {"Flatten", Flatten, 1, kAnything}, {"Reshape", Reshape, 2, kAnything},
    {"Shape", ShapeOf, 1, kAnything},   {"Size", Size, 1, kAnything},
    {"Squeeze", Squeeze, 1, kAnything}, {"Unsqueeze", Unsqueeze, 2, kAnything},
};

}  // namespace

absl::Span<const OperatorRow> ShapeOperators() { return kOperators; }

}  // namespace nereid::engine
