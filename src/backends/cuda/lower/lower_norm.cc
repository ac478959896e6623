#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/lower/lowering.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// Rows over the axes from `axis` on: one-axis norms, or several that lie side by side.
RowNormSpec RowsOf(Lowering& l, const Node& node, bool rms) {
  const Shape& shape = l.ShapeOf(node.inputs[0]);
  const AxisSplit split = SplitAt(shape, node.Int("axis", -1));
  RowNormSpec spec;
  spec.type = l.Storage(node.outputs[0]);
  spec.rows = split.outer;
  spec.n = split.n * split.inner;
  spec.epsilon = node.Float("epsilon", 1e-5f);
  spec.rms = rms;
  spec.has_scale = node.HasInput(1);
  spec.has_bias = node.HasInput(2);
  return spec;
}

// Scale and bias stay in fp32: they are small, and digits are cheap here.
absl::Status EmitRows(Lowering& l, const Node& node, RowNormSpec spec, ValueId residual) {
  if (!IsDeviceFloat(spec.type)) return absl::UnimplementedError("the type");
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (node.HasInput(i) && ElementsOf(l.ShapeOf(node.inputs[i])) != spec.n) {
      return absl::UnimplementedError("a scale that is not one row");
    }
  }
  spec.has_residual = residual != kNoValue;
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  const auto optional = [&](size_t i) { return node.HasInput(i) ? node.inputs[i] : kNoValue; };
  NEREID_ASSIGN_OR_RETURN(const Operand scale, l.In(optional(1), spec.scale_type));
  NEREID_ASSIGN_OR_RETURN(const Operand bias, l.In(optional(2), spec.scale_type));
  NEREID_ASSIGN_OR_RETURN(const Operand added, l.In(residual, spec.type));
  std::vector<Operand> outputs = {l.Out(node.outputs[0], spec.type)};
  if (spec.sum_output) outputs.push_back(l.Out(node.outputs[1], spec.type));
  if (spec.statistics_output) {
    for (const size_t i : {size_t{1}, size_t{2}}) {
      outputs.push_back(node.HasOutput(i) ? l.Out(node.outputs[i], DataType::kFp32)
                                          : l.Temporary(static_cast<size_t>(spec.rows) * 4));
    }
  }
  l.Emit(node, spec, {x, scale, bias, added}, std::move(outputs));
  return absl::OkStatus();
}

absl::Status LayerNormalization(Lowering& l, const Node& node) {
  RowNormSpec spec = RowsOf(l, node, false);
  spec.statistics_output = node.HasOutput(1) || node.HasOutput(2);
  return EmitRows(l, node, spec, kNoValue);
}

absl::Status RmsNormalization(Lowering& l, const Node& node) {
  return EmitRows(l, node, RowsOf(l, node, true), kNoValue);
}

absl::Status AddNorm(Lowering& l, const Node& node) {
  RowNormSpec spec = RowsOf(l, node, node.Int("rms", 0) != 0);
  spec.sum_output = node.HasOutput(1);
  return EmitRows(l, node, spec, node.HasInput(3) ? node.inputs[3] : kNoValue);
}

absl::Status Groups(Lowering& l, const Node& node, int64_t groups) {
  const ValueId y = node.outputs[0];
  const Shape& shape = l.ShapeOf(y);
  GroupNormSpec spec;
  spec.type = l.Storage(y);
  if (!IsDeviceFloat(spec.type) || shape.size() < 3) return absl::UnimplementedError("the type");
  spec.n = shape[0];
  spec.channels = shape[1];
  spec.pixels = ElementsOf(absl::MakeConstSpan(shape).subspan(2));
  spec.groups = groups;
  spec.epsilon = node.Float("epsilon", 1e-5f);
  spec.channels_last = l.WantsChannelsLast(y);
  const Order order = spec.channels_last ? Order::kChannelsLast : Order::kDense;
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type, order));
  NEREID_ASSIGN_OR_RETURN(const Operand scale, l.In(node.inputs[1], spec.scale_type));
  NEREID_ASSIGN_OR_RETURN(const Operand bias, l.In(node.inputs[2], spec.scale_type));
  l.Emit(node, spec, {x, scale, bias}, {l.Out(y, spec.type, order)});
  return absl::OkStatus();
}

absl::Status GroupNormalization(Lowering& l, const Node& node) {
  return Groups(l, node, node.Int("num_groups", 1));
}

absl::Status InstanceNormalization(Lowering& l, const Node& node) {
  return Groups(l, node, l.ShapeOf(node.inputs[0])[1]);
}

absl::Status AnySoftmax(Lowering& l, const Node& node, bool log) {
  const ValueId y = node.outputs[0];
  const AxisSplit split = SplitAt(l.ShapeOf(y), node.Int("axis", -1));
  const DataType from = l.Storage(node.inputs[0]), to = l.Storage(y);
  if (!IsDeviceFloat(to)) return absl::UnimplementedError("the type");
  const SoftmaxSpec spec{
      IsDeviceFloat(from) ? from : to, split.outer, split.n, split.inner, log, to};
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  l.Emit(node, spec, {x}, {l.OutDense(node)});
  return absl::OkStatus();
}

absl::Status Softmax(Lowering& l, const Node& node) { return AnySoftmax(l, node, false); }
absl::Status LogSoftmax(Lowering& l, const Node& node) { return AnySoftmax(l, node, true); }

constexpr LowerRow kRows[] = {
    {"GroupNormalization", GroupNormalization},
    {"InstanceNormalization", InstanceNormalization},
    {"LayerNormalization", LayerNormalization},
    {"LogSoftmax", LogSoftmax},
    {"RMSNormalization", RmsNormalization},
    {"Softmax", Softmax},
    {"nereid.AddNorm", AddNorm},
};

}  // namespace

absl::Span<const LowerRow> NormRows() { return kRows; }

}  // namespace nereid::engine
