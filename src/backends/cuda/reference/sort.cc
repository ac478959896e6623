#include <algorithm>
#include <numeric>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// A total order: a NaN is above every number.
template <typename C>
bool Below(C x, C y) {
  if (y != y) return x == x;
  return x < y;
}

Results TopK(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const int64_t k, call.Integer(1));
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", -1), x.shape().size()));
  const AxisView view = ViewAlong(x.shape(), axis);
  if (k < 0 || k > view.extent) return Refuse("k is ", k, ", the axis has ", view.extent);
  const bool largest = call.node.Int("largest", 1) != 0;
  Shape shape = x.shape();
  shape[axis] = k;
  std::vector<int64_t> from(static_cast<size_t>(Product(shape)));
  std::vector<int64_t> positions(from.size());
  VisitCompute(x.type(), [&]<typename C>() {
    const std::vector<C> values = Read<C>(x);
    std::vector<int64_t> order(static_cast<size_t>(view.extent));
    ForEachLine(view, [&](size_t line, size_t base) {
      const auto value = [&](int64_t i) {
        return values[base + static_cast<size_t>(i * view.inner)];
      };
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
        if (Below(value(a), value(b))) return !largest;
        if (Below(value(b), value(a))) return largest;
        return a < b;
      });
      const auto inner = static_cast<size_t>(view.inner);
      const size_t to = line / inner * inner * static_cast<size_t>(k) + line % inner;
      for (size_t i = 0; i < static_cast<size_t>(k); ++i) {
        positions[to + i * inner] = order[i];
        from[to + i * inner] = static_cast<int64_t>(base) + order[i] * view.inner;
      }
    });
  });
  return Several(Take(x, shape, from), Write(DataType::kInt64, shape, positions));
}

// The slices of a tensor along an axis, to be compared; a tensor without an axis is one of scalars.
template <typename C>
class Slices {
 public:
  Slices(const HostTensor& x, const AxisView& view) : values_(Read<C>(x)), view_(view) {}

  int Compare(int64_t a, int64_t b) const {
    for (int64_t o = 0; o < view_.outer; ++o) {
      for (int64_t i = 0; i < view_.inner; ++i) {
        const C x = At(o, a, i);
        const C y = At(o, b, i);
        if (Below(x, y)) return -1;
        if (Below(y, x)) return 1;
      }
    }
    return 0;
  }

 private:
  C At(int64_t outer, int64_t slice, int64_t inner) const {
    return values_[static_cast<size_t>((outer * view_.extent + slice) * view_.inner + inner)];
  }

  const std::vector<C> values_;
  const AxisView view_;
};

// What Unique tells of the slices.
struct Groups {
  std::vector<int64_t> first = {};   // of each group, its first slice
  std::vector<int64_t> inverse;      // of each slice, its group
  std::vector<int64_t> counts = {};  // of each group, its slices
};

template <typename C>
Groups GroupSlices(const Slices<C>& slices, int64_t count, bool sorted) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return slices.Compare(a, b) < 0; });
  Groups groups{.inverse = std::vector<int64_t>(order.size())};
  for (const int64_t slice : order) {
    if (groups.first.empty() || slices.Compare(groups.first.back(), slice) != 0) {
      groups.first.push_back(slice);
      groups.counts.push_back(0);
    }
    groups.inverse[static_cast<size_t>(slice)] = static_cast<int64_t>(groups.first.size()) - 1;
    ++groups.counts.back();
  }
  if (sorted) return groups;
  std::vector<size_t> by_first(groups.first.size());
  std::iota(by_first.begin(), by_first.end(), 0);
  std::sort(by_first.begin(), by_first.end(),
            [&](size_t a, size_t b) { return groups.first[a] < groups.first[b]; });
  Groups reordered{.inverse = groups.inverse};
  std::vector<int64_t> place(by_first.size());
  for (const size_t group : by_first) {
    place[group] = static_cast<int64_t>(reordered.first.size());
    reordered.first.push_back(groups.first[group]);
    reordered.counts.push_back(groups.counts[group]);
  }
  for (int64_t& group : reordered.inverse) group = place[static_cast<size_t>(group)];
  return reordered;
}

Results Unique(const Call& call) {
  HostTensor x = call.In(0);
  size_t axis = 0;
  if (call.node.attributes.contains("axis")) {
    NEREID_ASSIGN_OR_RETURN(axis, AxisOf(call.node.Int("axis", 0), x.shape().size()));
  } else {
    x = x.Reshaped({x.element_count()});
  }
  const AxisView view = ViewAlong(x.shape(), axis);
  const bool sorted = call.node.Int("sorted", 1) != 0;
  const Groups groups = VisitCompute(
      x.type(), [&]<typename C>() { return GroupSlices(Slices<C>(x, view), view.extent, sorted); });
  Shape shape = x.shape();
  shape[axis] = static_cast<int64_t>(groups.first.size());
  std::vector<int64_t> from;
  for (int64_t o = 0; o < view.outer; ++o) {
    for (const int64_t slice : groups.first) {
      for (int64_t i = 0; i < view.inner; ++i) {
        from.push_back((o * view.extent + slice) * view.inner + i);
      }
    }
  }
  return Several(Take(x, shape, from), HostTensor::Vector(groups.first),
                 HostTensor::Vector(groups.inverse), HostTensor::Vector(groups.counts));
}

constexpr OperatorRow kOperators[] = {
    {"TopK", TopK, 2},
    {"Unique", Unique, 1},
};

}  // namespace

absl::Span<const OperatorRow> SortOperators() { return kOperators; }

}  // namespace nereid::engine
