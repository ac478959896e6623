#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Which elements of the input fall together, and where.
struct Plan {
  Shape shape;         // of the result
  Strides strides;     // of the input's index into the result: 0 along reduced axes
  size_t groups = 1;   // elements of the result
  double members = 1;  // elements of the input that make one of the result
};

absl::StatusOr<std::vector<size_t>> ReducedAxes(const Call& call) {
  const size_t rank = call.ShapeOf(0).size();
  std::vector<int64_t> axes;
  if (call.Has(1)) {
    NEREID_ASSIGN_OR_RETURN(axes, call.Integers(1));
  }
  if (axes.empty() && call.node.Int("noop_with_empty_axes", 0) == 0) {
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  return AxesOf(axes, rank);
}

absl::StatusOr<Plan> MakePlan(const Call& call) {
  const Shape& from = call.ShapeOf(0);
  NEREID_ASSIGN_OR_RETURN(const std::vector<size_t> axes, ReducedAxes(call));
  Shape kept = from;
  Plan plan;
  for (const size_t axis : axes) {
    plan.members *= static_cast<double>(from[axis]);
    kept[axis] = 1;
  }
  NEREID_ASSIGN_OR_RETURN(const int64_t groups, CountOf(kept));
  plan.groups = static_cast<size_t>(groups);
  plan.strides = ContiguousStrides(kept);
  for (const size_t axis : axes) plan.strides[axis] = 0;
  const bool keep = call.node.Int("keepdims", 1) != 0;
  for (size_t d = 0; d < kept.size(); ++d) {
    if (keep || std::find(axes.begin(), axes.end(), d) == axes.end()) plan.shape.push_back(kept[d]);
  }
  return plan;
}

// Folds step(total, x) over each group.
template <typename C, typename Step>
std::vector<C> FoldGroups(const HostTensor& x, const Plan& plan, C start, Step step) {
  std::vector<C> totals(plan.groups, start);
  const std::vector<C> values = Read<C>(x);
  ForEachOffset<1>(x.shape(), {plan.strides}, [&](int64_t i, const auto& at) {
    C& total = totals[static_cast<size_t>(at[0])];
    total = static_cast<C>(step(total, values[static_cast<size_t>(i)]));
  });
  return totals;
}

// Of floating tensors, and of integers through double: finish(total, members).
template <auto step, auto finish>
Results InDouble(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Plan plan, MakePlan(call));
  std::vector<double> totals = FoldGroups<double>(call.In(0), plan, 0, step);
  for (double& total : totals) total = finish(total, plan.members);
  return One(Write(call.In(0).type(), plan.shape, totals));
}

// Exact for integers.
template <int start, auto step>
Results Exact(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Plan plan, MakePlan(call));
  const HostTensor& x = call.In(0);
  return VisitCompute(x.type(), [&]<typename C>() -> Results {
    return One(Write(x.type(), plan.shape, FoldGroups<C>(x, plan, C{start}, step)));
  });
}

// The smallest (largest) value of `type`, which the largest (smallest) of an empty group is.
template <typename C>
C Bound(DataType type, bool highest) {
  if constexpr (std::is_floating_point_v<C>) {
    return highest ? std::numeric_limits<C>::infinity() : -std::numeric_limits<C>::infinity();
  } else {
    if (ElementByteSize(type) == 8) {
      return highest ? std::numeric_limits<C>::max() : std::numeric_limits<C>::lowest();
    }
    if (type == DataType::kBool) return highest ? 1 : 0;
    const IntegerRange range = RangeOf(type);
    return static_cast<C>(highest ? range.highest : range.lowest);
  }
}

template <bool largest>
Results Extreme(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Plan plan, MakePlan(call));
  const HostTensor& x = call.In(0);
  return VisitCompute(x.type(), [&]<typename C>() -> Results {
    const auto step = [](C total, C value) {
      if (value != value) return value;
      return (largest ? value > total : value < total) ? value : total;
    };
    return One(
        Write(x.type(), plan.shape, FoldGroups<C>(x, plan, Bound<C>(x.type(), !largest), step)));
  });
}

Results LogSumExp(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Plan plan, MakePlan(call));
  const HostTensor& x = call.In(0);
  std::vector<double> peaks =
      FoldGroups<double>(x, plan, -std::numeric_limits<double>::infinity(),
                         [](double total, double value) { return std::fmax(total, value); });
  for (double& peak : peaks) peak = std::isinf(peak) ? 0 : peak;
  const std::vector<double> values = Read<double>(x);
  std::vector<double> sums(plan.groups, 0.0);
  ForEachOffset<1>(x.shape(), {plan.strides}, [&](int64_t i, const auto& at) {
    const auto group = static_cast<size_t>(at[0]);
    sums[group] += std::exp(values[static_cast<size_t>(i)] - peaks[group]);
  });
  for (size_t g = 0; g < sums.size(); ++g) sums[g] = peaks[g] + std::log(sums[g]);
  return One(Write(x.type(), plan.shape, sums));
}

// Position of the largest (smallest) element along `axis`.
template <bool largest>
Results ArgExtreme(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", 0), x.shape().size()));
  const AxisView view = ViewAlong(x.shape(), axis);
  if (view.extent == 0) return Refuse("the axis is empty");
  Shape shape = x.shape();
  shape[axis] = 1;
  if (call.node.Int("keepdims", 1) == 0) shape.erase(shape.begin() + static_cast<long>(axis));
  const bool last = call.node.Int("select_last_index", 0) != 0;
  std::vector<int64_t> positions(static_cast<size_t>(view.outer * view.inner));
  VisitCompute(x.type(), [&]<typename C>() {
    const std::vector<C> values = Read<C>(x);
    ForEachLine(view, [&](size_t line, size_t base) {
      int64_t best = 0;
      for (int64_t k = 1; k < view.extent; ++k) {
        const C value = values[base + static_cast<size_t>(k * view.inner)];
        const C leader = values[base + static_cast<size_t>(best * view.inner)];
        if ((largest ? value > leader : value < leader) || (last && value == leader)) best = k;
      }
      positions[line] = best;
    });
  });
  return One(Write(DataType::kInt64, shape, positions));
}

constexpr auto kAdd = [](auto total, auto x) { return total + x; };
constexpr auto kAddUnsigned = [](auto total, auto x) {
  if constexpr (std::is_integral_v<decltype(x)>) {
    return static_cast<uint64_t>(total) + static_cast<uint64_t>(x);
  } else {
    return total + x;
  }
};
constexpr auto kAddSquare = [](auto total, auto x) {
  if constexpr (std::is_integral_v<decltype(x)>) {
    return static_cast<uint64_t>(total) + static_cast<uint64_t>(x) * static_cast<uint64_t>(x);
  } else {
    return total + x * x;
  }
};
constexpr auto kAddMagnitude = [](auto total, auto x) {
  if constexpr (std::is_integral_v<decltype(x)>) {
    const auto bits = static_cast<uint64_t>(x);
    return static_cast<uint64_t>(total) + (x < 0 ? 0 - bits : bits);
  } else {
    return total + std::fabs(x);
  }
};
constexpr auto kMultiply = [](auto total, auto x) {
  if constexpr (std::is_integral_v<decltype(x)>) {
    return static_cast<uint64_t>(total) * static_cast<uint64_t>(x);
  } else {
    return total * x;
  }
};

constexpr OperatorRow kOperators[] = {
    {"ArgMax", ArgExtreme<true>, 1},
    {"ArgMin", ArgExtreme<false>, 1},
    {"ReduceL1", Exact<0, kAddMagnitude>, 1},
    {"ReduceL2", InDouble<kAddSquare, [](double sum, double) { return std::sqrt(sum); }>, 1},
    {"ReduceLogSum", InDouble<kAdd, [](double sum, double) { return std::log(sum); }>, 1},
    {"ReduceLogSumExp", LogSumExp, 1},
    {"ReduceMax", Extreme<true>, 1},
    {"ReduceMean", InDouble<kAdd, [](double sum, double members) { return sum / members; }>, 1},
    {"ReduceMin", Extreme<false>, 1},
    {"ReduceProd", Exact<1, kMultiply>, 1},
    {"ReduceSum", Exact<0, kAddUnsigned>, 1},
    {"ReduceSumSquare", Exact<0, kAddSquare>, 1},
};

}  // namespace

absl::Span<const OperatorRow> ReduceOperators() { return kOperators; }

}  // namespace nereid::engine
