#include <algorithm>
#include <iterator>
#include <numeric>

#include "backends/cuda/lower/lowering.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

struct ReductionRow {
  std::string_view op;
  Reduction reduction;
};
constexpr ReductionRow kReductions[] = {
    {"ReduceL1", Reduction::kL1},         {"ReduceL2", Reduction::kL2},
    {"ReduceLogSum", Reduction::kLogSum}, {"ReduceLogSumExp", Reduction::kLogSumExp},
    {"ReduceMax", Reduction::kMax},       {"ReduceMean", Reduction::kMean},
    {"ReduceMin", Reduction::kMin},       {"ReduceProd", Reduction::kProd},
    {"ReduceSum", Reduction::kSum},       {"ReduceSumSquare", Reduction::kSumSquare},
};

absl::StatusOr<std::vector<int64_t>> AxesOf(Lowering& l, const Node& node, size_t rank) {
  std::vector<int64_t> axes;
  if (node.HasInput(1)) {
    const HostTensor* given = l.ConstantInput(node, 1);
    if (given == nullptr) return absl::UnimplementedError("axes that depend on data");
    axes = given->AsInt64Vector();
  }
  if (axes.empty() && node.Int("noop_with_empty_axes", 0) == 0) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (int64_t& axis : axes) {
    if (axis < 0) axis += static_cast<int64_t>(rank);
  }
  std::ranges::sort(axes);
  return axes;
}

// Whether the axes are exactly those of the pixels.
bool AreSpatial(absl::Span<const int64_t> axes, size_t rank) {
  if (rank < 3 || axes.size() != rank - 2) return false;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<int64_t>(i) + 2) return false;
  }
  return true;
}

absl::Status Reduce(Lowering& l, const Node& node) {
  const ValueId x = node.inputs[0], y = node.outputs[0];
  ReduceSpec spec;
  spec.type = l.Storage(y);
  spec.reduction =
      std::ranges::find(kReductions, std::string_view(node.op), &ReductionRow::op)->reduction;
  spec.shape = l.ShapeOf(x);
  NEREID_ASSIGN_OR_RETURN(spec.axes, AxesOf(l, node, spec.shape.size()));
  NEREID_ASSIGN_OR_RETURN(const Placement placement, l.At(x));
  Order order = Order::kDense;
  const bool mean = spec.reduction == Reduction::kMean, max = spec.reduction == Reduction::kMax;
  if ((mean || max) && IsDeviceFloat(spec.type) && AreSpatial(spec.axes, spec.shape.size())) {
    GlobalPoolSpec pool;
    pool.type = spec.type;
    pool.max = max;
    pool.channels_last = IsChannelsLast(placement) && !IsDense(placement);
    pool.n = spec.shape[0];
    pool.channels = spec.shape[1];
    pool.pixels = ElementsOf(absl::MakeConstSpan(spec.shape).subspan(2));
    order = pool.channels_last ? Order::kChannelsLast : Order::kDense;
    NEREID_ASSIGN_OR_RETURN(const Operand in, l.In(x, pool.type, order));
    l.Emit(node, pool, {in}, {l.OutDense(node)});
    return absl::OkStatus();
  }
  NEREID_ASSIGN_OR_RETURN(const Operand in, l.In(x, spec.type, order));
  l.Emit(node, std::move(spec), {in}, {l.OutDense(node)});
  return absl::OkStatus();
}

absl::Status ArgReduce(Lowering& l, const Node& node) {
  const ValueId x = node.inputs[0];
  const AxisSplit split = SplitAt(l.ShapeOf(x), node.Int("axis", 0));
  NEREID_ASSIGN_OR_RETURN(const Placement placement, l.At(x));
  ArgReduceSpec spec;
  spec.type = placement.type;
  spec.min = node.op == "ArgMin";
  spec.last = node.Int("select_last_index", 0) != 0;
  spec.outer = split.outer;
  spec.n = split.n;
  spec.inner = split.inner;
  NEREID_ASSIGN_OR_RETURN(const Operand in, l.In(x, spec.type));
  l.Emit(node, spec, {in}, {l.OutDense(node)});
  return absl::OkStatus();
}

constexpr LowerRow kRows[] = {
    {"ArgMax", ArgReduce},  {"ArgMin", ArgReduce},    {"ReduceL1", Reduce},
    {"ReduceL2", Reduce},   {"ReduceLogSum", Reduce}, {"ReduceLogSumExp", Reduce},
    {"ReduceMax", Reduce},  {"ReduceMean", Reduce},   {"ReduceMin", Reduce},
    {"ReduceProd", Reduce}, {"ReduceSum", Reduce},    {"ReduceSumSquare", Reduce},
};

}  // namespace

absl::Span<const LowerRow> ReduceRows() { return kRows; }

}  // namespace nereid::engine
