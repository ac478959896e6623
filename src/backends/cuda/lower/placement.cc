#include "backends/cuda/lower/placement.h"

#include <algorithm>
#include <numeric>

namespace nereid::engine {
namespace {

// Axes that have more than one element, outermost first.
struct Axes {
  std::vector<int64_t> extents, strides;
};

Axes RealAxes(const Placement& p) {
  Axes axes;
  for (size_t i = 0; i < p.shape.size(); ++i) {
    if (p.shape[i] == 1) continue;
    // Neighbours that are one run in memory count as one axis.
    if (!axes.extents.empty() && axes.strides.back() == p.shape[i] * p.strides[i]) {
      axes.extents.back() *= p.shape[i];
      axes.strides.back() = p.strides[i];
    } else {
      axes.extents.push_back(p.shape[i]);
      axes.strides.push_back(p.strides[i]);
    }
  }
  return axes;
}

bool HasNoElements(const Shape& shape) {
  return std::ranges::find(shape, int64_t{0}) != shape.end();
}

}  // namespace

std::vector<int64_t> DenseStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * std::max<int64_t>(shape[i], 1);
  return strides;
}

std::vector<int64_t> ChannelsLastStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  int64_t step = shape[1];
  for (size_t i = shape.size(); i-- > 2;) {
    strides[i] = step;
    step *= shape[i];
  }
  strides[0] = step;
  return strides;
}

bool SameStrides(const Shape& shape, absl::Span<const int64_t> a, absl::Span<const int64_t> b) {
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] > 1 && a[i] != b[i]) return false;
  }
  return true;
}

bool IsDense(const Placement& p) {
  return HasNoElements(p.shape) || SameStrides(p.shape, p.strides, DenseStrides(p.shape));
}

bool IsChannelsLast(const Placement& p) {
  return p.shape.size() >= 3 && SameStrides(p.shape, p.strides, ChannelsLastStrides(p.shape));
}

std::optional<std::vector<int64_t>> DenseOrder(const Placement& p) {
  std::vector<int64_t> order(p.shape.size());
  std::iota(order.begin(), order.end(), 0);
  // Axes of one element may be anywhere: keep them in front, where they disturb nothing.
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
    const bool one_a = p.shape[a] == 1, one_b = p.shape[b] == 1;
    if (one_a || one_b) return one_a && !one_b;
    return p.strides[a] > p.strides[b];
  });
  int64_t step = 1;
  for (size_t i = order.size(); i-- > 0;) {
    const int64_t axis = order[i];
    if (p.shape[axis] == 1) continue;
    if (p.strides[axis] != step) return std::nullopt;
    step *= p.shape[axis];
  }
  return order;
}

std::optional<Placement> ViewReshaped(const Placement& p, const Shape& shape) {
  Placement view = p;
  view.shape = shape;
  view.strides = DenseStrides(shape);
  if (HasNoElements(shape) || IsDense(p)) return view;
  // Each run of the old axes is cut into new axes, from the inside out.
  const Axes old = RealAxes(p);
  size_t run = old.extents.size();
  int64_t left = 1;  // elements of the current run not used up yet
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) {
      view.strides[i] = 0;
      continue;
    }
    if (left == 1) {
      if (run == 0) return std::nullopt;
      --run;
      left = old.extents[run];
      step = old.strides[run];
    }
    if (left % shape[i] != 0) return std::nullopt;
    view.strides[i] = step;
    step *= shape[i];
    left /= shape[i];
  }
  return view;
}

Placement ViewPermuted(const Placement& p, absl::Span<const int64_t> permutation) {
  Placement view = p;
  for (size_t i = 0; i < permutation.size(); ++i) {
    const auto from = static_cast<size_t>(permutation[i]);
    view.shape[i] = p.shape[from];
    view.strides[i] = p.strides[from];
  }
  return view;
}

Placement ViewSliced(const Placement& p, size_t axis, int64_t start, int64_t count, int64_t step) {
  Placement view = p;
  view.offset += start * p.strides[axis];
  if (count > 1) view.strides[axis] *= step;  // otherwise the step may be any number
  view.shape[axis] = count;
  return view;
}

Placement ViewExpanded(const Placement& p, const Shape& shape) {
  Placement view = p;
  view.shape = shape;
  view.strides.assign(shape.size(), 0);
  const size_t lead = shape.size() - p.shape.size();
  for (size_t i = 0; i < p.shape.size(); ++i) {
    if (p.shape[i] != 1) view.strides[lead + i] = p.strides[i];
  }
  return view;
}

}  // namespace nereid::engine
