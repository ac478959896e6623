#include <algorithm>
#include <iterator>

#include "backends/cuda/lower/lowering.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

bool IsIndex(DataType type) { return type == DataType::kInt32 || type == DataType::kInt64; }

absl::Status GatherElements(Lowering& l, const Node& node) {
  GatherElementsSpec spec;
  spec.type = l.Storage(node.outputs[0]);
  spec.index_type = l.TypeOf(node.inputs[1]);
  if (!IsIndex(spec.index_type)) return absl::UnimplementedError("the type of the indices");
  spec.shape = l.ShapeOf(node.inputs[0]);
  spec.indices_shape = l.ShapeOf(node.inputs[1]);
  spec.axis = static_cast<int64_t>(SplitAt(spec.shape, node.Int("axis", 0)).axis);
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  NEREID_ASSIGN_OR_RETURN(const Operand indices, l.In(node.inputs[1], spec.index_type));
  l.Emit(node, std::move(spec), {x, indices}, {l.OutDense(node)});
  return absl::OkStatus();
}

absl::Status GatherNd(Lowering& l, const Node& node) {
  GatherNdSpec spec;
  spec.type = l.Storage(node.outputs[0]);
  spec.shape = l.ShapeOf(node.inputs[0]);
  spec.indices_shape = l.ShapeOf(node.inputs[1]);
  spec.batch_dims = node.Int("batch_dims", 0);
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  NEREID_ASSIGN_OR_RETURN(const Operand indices, l.In(node.inputs[1], DataType::kInt64));
  l.Emit(node, std::move(spec), {x, indices}, {l.OutDense(node)});
  return absl::OkStatus();
}

struct ReductionRow {
  std::string_view name;
  ScatterReduction reduction;
};
constexpr ReductionRow kReductions[] = {{"none", ScatterReduction::kNone},
                                        {"add", ScatterReduction::kAdd},
                                        {"mul", ScatterReduction::kMul},
                                        {"max", ScatterReduction::kMax},
                                        {"min", ScatterReduction::kMin}};

absl::StatusOr<ScatterReduction> ReductionOf(const Node& node) {
  const auto* row = std::ranges::find(
      kReductions, std::string_view(node.String("reduction", "none")), &ReductionRow::name);
  if (row == std::end(kReductions)) return absl::UnimplementedError("the reduction");
  return row->reduction;
}

absl::Status ScatterNd(Lowering& l, const Node& node) {
  ScatterNdSpec spec;
  spec.type = l.Storage(node.outputs[0]);
  NEREID_ASSIGN_OR_RETURN(spec.reduction, ReductionOf(node));
  spec.shape = l.ShapeOf(node.inputs[0]);
  spec.indices_shape = l.ShapeOf(node.inputs[1]);
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  NEREID_ASSIGN_OR_RETURN(const Operand indices, l.In(node.inputs[1], DataType::kInt64));
  NEREID_ASSIGN_OR_RETURN(const Operand updates, l.In(node.inputs[2], spec.type));
  l.Emit(node, std::move(spec), {x, indices, updates}, {l.OutDense(node)});
  return absl::OkStatus();
}

absl::Status ScatterElements(Lowering& l, const Node& node) {
  ScatterElementsSpec spec;
  spec.type = l.Storage(node.outputs[0]);
  spec.index_type = l.TypeOf(node.inputs[1]);
  if (!IsIndex(spec.index_type)) return absl::UnimplementedError("the type of the indices");
  NEREID_ASSIGN_OR_RETURN(spec.reduction, ReductionOf(node));
  spec.shape = l.ShapeOf(node.inputs[0]);
  spec.indices_shape = l.ShapeOf(node.inputs[1]);
  spec.axis = static_cast<int64_t>(SplitAt(spec.shape, node.Int("axis", 0)).axis);
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  NEREID_ASSIGN_OR_RETURN(const Operand indices, l.In(node.inputs[1], spec.index_type));
  NEREID_ASSIGN_OR_RETURN(const Operand updates, l.In(node.inputs[2], spec.type));
  l.Emit(node, std::move(spec), {x, indices, updates}, {l.OutDense(node)});
  return absl::OkStatus();
}

absl::Status OneHot(Lowering& l, const Node& node) {
  const Shape& y = l.ShapeOf(node.outputs[0]);
  const AxisSplit split = SplitAt(y, node.Int("axis", -1));
  OneHotSpec spec{l.TypeOf(node.inputs[0]), l.Storage(node.outputs[0]), split.outer, split.n,
                  split.inner};
  if (!IsIndex(spec.index_type)) return absl::UnimplementedError("the type of the indices");
  NEREID_ASSIGN_OR_RETURN(const Operand indices, l.In(node.inputs[0], spec.index_type));
  NEREID_ASSIGN_OR_RETURN(const Operand values, l.In(node.inputs[2], spec.type));
  l.Emit(node, spec, {indices, values}, {l.OutDense(node)});
  return absl::OkStatus();
}

constexpr LowerRow kRows[] = {
    {"GatherElements", GatherElements},   {"GatherND", GatherNd},   {"OneHot", OneHot},
    {"ScatterElements", ScatterElements}, {"ScatterND", ScatterNd},
};

}  // namespace

absl::Span<const LowerRow> GatherRows() { return kRows; }

}  // namespace nereid::engine
