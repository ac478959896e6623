#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Running totals along the axis that input 1 names.
template <int start, auto step>
Results Accumulate(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const int64_t given, call.Integer(1));
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(given, x.shape().size()));
  const AxisView view = ViewAlong(x.shape(), axis);
  const bool exclusive = call.node.Int("exclusive", 0) != 0;
  const bool reverse = call.node.Int("reverse", 0) != 0;
  return VisitCompute(x.type(), [&]<typename C>() -> Results {
    std::vector<C> values = Read<C>(x);
    ForEachLine(view, [&](size_t, size_t base) {
      C total{start};
      for (int64_t k = 0; k < view.extent; ++k) {
        const int64_t at = (reverse ? view.extent - 1 - k : k) * view.inner;
        C& value = values[base + static_cast<size_t>(at)];
        const C before = total;
        total = static_cast<C>(step(total, value));
        value = exclusive ? before : total;
      }
    });
    return One(Write(x.type(), x.shape(), values));
  });
}

constexpr auto kAdd = [](auto total, auto x) {
  if constexpr (std::is_integral_v<decltype(x)>) {
    return static_cast<uint64_t>(total) + static_cast<uint64_t>(x);
  } else {
    return total + x;
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
    {"CumProd", Accumulate<1, kMultiply>, 2},
    {"CumSum", Accumulate<0, kAdd>, 2},
};

}  // namespace

absl::Span<const OperatorRow> CumulativeOperators() { return kOperators; }

}  // namespace nereid::engine
