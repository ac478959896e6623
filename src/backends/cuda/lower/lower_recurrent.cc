#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/lower/recurrent_cell.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// Strides for ONNX's layouts: steps first, [step, direction, batch, hidden] and states
// [direction, batch, hidden]; or the batch first, [batch, step, direction, hidden] and
// [batch, direction, hidden].
void SetStrides(RecurrentSpec& spec, bool batch_first) {
  const int64_t n = spec.hidden, d = spec.directions;
  spec.x_direction = GatesOf(spec.cell) * n;
  const int64_t item = d * spec.x_direction;
  spec.x_step = batch_first ? item : spec.batch * item;
  spec.x_batch = batch_first ? spec.steps * item : item;
  spec.y_step = d * n * (batch_first ? 1 : spec.batch);
  spec.y_batch = batch_first ? spec.steps * d * n : n;
  spec.y_direction = batch_first ? n : spec.batch * n;
  spec.state_batch = batch_first ? d * n : n;
  spec.state_direction = batch_first ? n : spec.batch * n;
}

absl::Status Recurrent(Lowering& l, const Node& node) {
  const auto cell = CellOf(node);
  if (!cell) return absl::UnimplementedError("the cell");
  const Shape &gates = l.ShapeOf(node.inputs[0]), &r = l.ShapeOf(node.inputs[1]);
  const bool batch_first = node.Int("layout", 0) != 0;
  RecurrentSpec spec;
  spec.cell = *cell;
  spec.type = l.Compute(node);
  spec.steps = gates[batch_first ? 1 : 0];
  spec.batch = gates[batch_first ? 0 : 1];
  spec.directions = r[0];
  spec.hidden = r[2];
  spec.reverse = node.String("direction", "forward") == "reverse";
  spec.linear_before_reset = node.Int("linear_before_reset", 0) != 0;
  spec.couples_input_and_forget = node.Int("input_forget", 0) != 0;
  spec.clip = node.Float("clip", 0);
  NEREID_ASSIGN_OR_RETURN(spec.activations, ActivationsOf(node, *cell, spec.directions));
  SetStrides(spec, batch_first);
  // gates, R, hidden bias, h, c, lengths, peepholes
  std::vector<Operand> inputs;
  constexpr size_t kLengths = 5;
  for (size_t i = 0; i < 7; ++i) {
    const ValueId id = node.HasInput(i) ? node.inputs[i] : kNoValue;
    NEREID_ASSIGN_OR_RETURN(const Operand operand,
                            l.In(id, i == kLengths ? DataType::kInt32 : spec.type));
    inputs.push_back(operand);
  }
  std::vector<Operand> outputs(3);
  for (size_t i = 0; i < 3; ++i) {
    if (node.HasOutput(i)) outputs[i] = l.Out(node.outputs[i], spec.type);
  }
  l.Emit(node, std::move(spec), std::move(inputs), std::move(outputs));
  return absl::OkStatus();
}

constexpr LowerRow kRows[] = {{"nereid.Recurrent", Recurrent}};

}  // namespace

absl::Span<const LowerRow> RecurrentRows() { return kRows; }

}  // namespace nereid::engine
