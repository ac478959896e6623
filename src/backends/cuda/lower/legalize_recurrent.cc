#include <algorithm>
#include <optional>

#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/lower/legalize_rules.h"
#include "backends/cuda/lower/recurrent_cell.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Inputs of ONNX's operators.
constexpr size_t kX = 0, kW = 1, kR = 2, kBias = 3, kLengths = 4, kH = 5, kC = 6, kPeepholes = 7;

// Edits that split one layer.
class Splitter {
 public:
  Splitter(GraphEditor& editor, NodeId id, RecurrentCell cell)
      : editor_(editor),
        id_(id),
        node_(editor.node(id)),
        cell_(cell),
        type_(editor.value(node_.inputs[kX]).type) {
    const Shape r = *editor.value(node_.inputs[kR]).shape;
    directions_ = r[0];
    rows_ = r[1];
    hidden_ = r[2];
  }

  void Split() {
    const Shape x = *editor_.value(node_.inputs[kX]).shape;
    const ValueId w = Reshaped(node_.inputs[kW], {directions_ * rows_, x[2]});
    Node gemm{kGemm, kNereidDomain, node_.name, {node_.inputs[kX], w}, {}, {}};
    gemm.attributes["trans_b"] = int64_t{1};
    if (node_.HasInput(kBias)) gemm.inputs.push_back(InputBias());
    const ValueId gates =
        editor_.InsertBefore(id_, std::move(gemm), type_, Shape{x[0], x[1], directions_ * rows_});
    Node layer{kRecurrent, kNereidDomain, node_.name, {}, node_.outputs, node_.attributes};
    const auto optional = [&](size_t i) { return node_.HasInput(i) ? node_.inputs[i] : kNoValue; };
    layer.inputs = {gates,        node_.inputs[kR],   HiddenBias(),        optional(kH),
                    optional(kC), optional(kLengths), optional(kPeepholes)};
    layer.attributes["cell"] = node_.op;
    editor_.Replace(id_, std::move(layer));
  }

 private:
  Node Of(const char* op, std::initializer_list<ValueId> inputs) const {
    return Node{op, "", node_.name, inputs, {}, {}};
  }

  ValueId Reshaped(ValueId id, const Shape& shape) {
    if (const HostTensor* constant = editor_.Constant(id)) {
      return editor_.AddConstant(editor_.value(id).name, constant->Reshaped(shape));
    }
    const ValueId target = editor_.AddConstant("extents", HostTensor::Vector(shape));
    return editor_.InsertBefore(id_, Of("Reshape", {id, target}), type_, shape);
  }

  // Columns [begin, end) of the bias [directions, 2 · rows].
  ValueId BiasPart(int64_t begin, int64_t end) {
    const ValueId bias = node_.inputs[kBias];
    const Shape shape{directions_, end - begin};
    if (const HostTensor* constant = editor_.Constant(bias)) {
      std::vector<float> part;
      for (int64_t d = 0; d < directions_; ++d) {
        for (int64_t i = begin; i < end; ++i) {
          part.push_back(static_cast<float>(constant->AsDouble(d * 2 * rows_ + i)));
        }
      }
      return editor_.AddConstant("bias", HostTensor::Of<float>(DataType::kFp32, shape, part));
    }
    const auto vector = [&](int64_t value) {
      return editor_.AddConstant("bound", HostTensor::Vector({value}));
    };
    return editor_.InsertBefore(id_, Of("Slice", {bias, vector(begin), vector(end), vector(1)}),
                                type_, shape);
  }

  // What is added to the inputs' part of the gates: Wb, and Rb but for that of GRU's h.
  ValueId InputBias() {
    const int64_t joined = cell_ == RecurrentCell::kGru ? rows_ - hidden_ : rows_;
    const ValueId own = BiasPart(0, rows_), recurrent = BiasPart(rows_, rows_ + joined);
    const HostTensor* a = editor_.Constant(own);
    const HostTensor* b = editor_.Constant(recurrent);
    if (a != nullptr && b != nullptr) {
      std::vector<float> sum;
      for (int64_t i = 0; i < directions_ * rows_; ++i) {
        const int64_t d = i / rows_, row = i % rows_;
        sum.push_back(static_cast<float>(a->AsDouble(i) +
                                         (row < joined ? b->AsDouble(d * joined + row) : 0)));
      }
      return editor_.AddConstant(
          StrCat(node_.name, "/bias"),
          HostTensor::Of<float>(DataType::kFp32, {directions_ * rows_}, sum));
    }
    ValueId all = recurrent;
    if (joined < rows_) {
      const Shape rest{directions_, rows_ - joined};
      const ValueId zeros = editor_.AddConstant(
          "zeros",
          HostTensor::Of<float>(DataType::kFp32, rest,
                                std::vector<float>(static_cast<size_t>(rest[0] * rest[1]))));
      Node concat = Of("Concat", {recurrent, zeros});
      concat.attributes["axis"] = int64_t{1};
      all = editor_.InsertBefore(id_, std::move(concat), type_, Shape{directions_, rows_});
    }
    const ValueId sum =
        editor_.InsertBefore(id_, Of("Add", {own, all}), type_, Shape{directions_, rows_});
    return Reshaped(sum, {directions_ * rows_});
  }

  ValueId HiddenBias() {
    if (cell_ != RecurrentCell::kGru || !node_.HasInput(kBias)) return kNoValue;
    return BiasPart(2 * rows_ - hidden_, 2 * rows_);
  }

  GraphEditor& editor_;
  const NodeId id_;
  const Node node_;
  const RecurrentCell cell_;
  const DataType type_;
  int64_t directions_ = 1, rows_ = 1, hidden_ = 1;
};

int64_t CountOf(const GraphEditor& editor, ValueId id) {
  int64_t count = 1;
  for (const int64_t extent : *editor.value(id).shape) count *= extent;
  return count;
}

bool IsLayerType(DataType type) {
  return type == DataType::kFp32 || type == DataType::kFp16 || type == DataType::kBf16;
}

// Whether the layer's operands fit each other, all of them of one type and of known shapes.
bool CanSplit(const GraphEditor& editor, const Node& node, RecurrentCell cell) {
  const DataType type = node.HasInput(kX) ? editor.value(node.inputs[kX]).type : DataType::kInvalid;
  if (!IsLayerType(type)) return false;
  for (const size_t i : {kX, kW, kR, kBias, kH, kC, kPeepholes}) {
    if (!node.HasInput(i)) {
      if (i <= kR) return false;
      continue;
    }
    const Value& value = editor.value(node.inputs[i]);
    if (value.type != type || !value.shape) return false;
    if (std::ranges::any_of(*value.shape, [](int64_t n) { return n < 1; })) return false;
  }
  if (node.HasInput(kLengths) && editor.value(node.inputs[kLengths]).type != DataType::kInt32) {
    return false;
  }
  const Shape &x = *editor.value(node.inputs[kX]).shape, &w = *editor.value(node.inputs[kW]).shape,
              &r = *editor.value(node.inputs[kR]).shape;
  if (x.size() != 3 || w.size() != 3 || r.size() != 3) return false;
  const std::string direction = node.String("direction", "forward");
  const int64_t directions = direction == "bidirectional" ? 2 : 1;
  const int64_t hidden = r[2], rows = GatesOf(cell) * hidden;
  const int64_t batch = x[node.Int("layout", 0) != 0 ? 0 : 1];
  const auto holds = [&](size_t i, int64_t count) {
    return !node.HasInput(i) || CountOf(editor, node.inputs[i]) == count;
  };
  return w == Shape{directions, rows, x[2]} && r == Shape{directions, rows, hidden} &&
         holds(kBias, directions * 2 * rows) && holds(kLengths, batch) &&
         holds(kH, directions * batch * hidden) && holds(kC, directions * batch * hidden) &&
         holds(kPeepholes, directions * 3 * hidden) && ActivationsOf(node, cell, directions).ok();
}

}  // namespace

void SplitRecurrent(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  const Node& node = editor.node(id);
  const auto cell = CellOf(node);
  if (!node.domain.empty() || !cell || !CanSplit(editor, node, *cell)) return;
  Splitter(editor, id, *cell).Split();
}

}  // namespace nereid::engine
