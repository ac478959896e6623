#include "backends/cuda/onnx/normalizer.h"

#include <algorithm>
#include <array>

#include "backends/cuda/ir/half.h"
#include "backends/cuda/onnx/normalizer_rules.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// An attribute that became an input: of `op` before opset `before`, now input `index`.
struct AttributeRow {
  std::string_view op;
  int64_t before;
  std::string_view attribute;
  size_t index;
};

constexpr std::array kAttributeRows = std::to_array<AttributeRow>({
    {"Clip", 11, "min", 1},
    {"Clip", 11, "max", 2},
    {"Pad", 2, "paddings", 1},
    {"Pad", 11, "pads", 1},
    {"Pad", 11, "value", 2},
    {"ReduceL1", 18, "axes", 1},
    {"ReduceL2", 18, "axes", 1},
    {"ReduceLogSum", 18, "axes", 1},
    {"ReduceLogSumExp", 18, "axes", 1},
    {"ReduceMax", 18, "axes", 1},
    {"ReduceMean", 18, "axes", 1},
    {"ReduceMin", 18, "axes", 1},
    {"ReduceProd", 18, "axes", 1},
    {"ReduceSum", 13, "axes", 1},
    {"ReduceSumSquare", 18, "axes", 1},
    {"Reshape", 5, "shape", 1},
    {"Slice", 10, "starts", 1},
    {"Slice", 10, "ends", 2},
    {"Slice", 10, "axes", 3},
    {"Split", 13, "split", 1},
    {"Squeeze", 13, "axes", 1},
    {"TopK", 10, "k", 1},
    {"Unsqueeze", 13, "axes", 1},
});

// Attributes that say nothing about inference.
constexpr std::array<std::string_view, 3> kMeaningless = {"consumed_inputs", "is_test", "momentum"};

void MoveAttribute(NodeRewrite& rewrite, const AttributeRow& row) {
  const auto found = rewrite.node.attributes.find(row.attribute);
  if (found == rewrite.node.attributes.end() || rewrite.node.HasInput(row.index)) return;
  const AttributeValue value = found->second;
  ValueId id = kNoValue;
  if (const auto* ints = std::get_if<std::vector<int64_t>>(&value)) {
    id = rewrite.Constant(HostTensor::Vector(*ints));
  } else if (const auto* single = std::get_if<int64_t>(&value)) {
    id = rewrite.Constant(HostTensor::Vector({*single}));
  } else if (const auto* number = std::get_if<float>(&value)) {
    id = rewrite.ScalarLikeInput(*number);
  } else {
    return;
  }
  rewrite.Erase(row.attribute);
  rewrite.SetInput(row.index, id);
}

absl::Status ApplyRows(absl::Span<const NormalizeRow> rows, NodeRewrite& rewrite) {
  for (const NormalizeRow& row : rows) {
    if (row.op != rewrite.node.op || rewrite.opset >= row.before) continue;
    NEREID_RETURN_IF_ERROR(row.rule(rewrite));
    if (rewrite.dropped()) break;
  }
  return absl::OkStatus();
}

}  // namespace

const HostTensor* NodeRewrite::ConstantInput(size_t i) const {
  if (!node.HasInput(i) || !graph.value(node.inputs[i]).is_constant()) return nullptr;
  return &*graph.value(node.inputs[i]).constant;
}

int64_t NodeRewrite::RankOf(size_t i) const {
  if (!node.HasInput(i) || !graph.value(node.inputs[i]).shape.has_value()) return -1;
  return static_cast<int64_t>(graph.value(node.inputs[i]).shape->size());
}

DataType NodeRewrite::TypeOf(size_t i) const {
  return node.HasInput(i) ? graph.value(node.inputs[i]).type : DataType::kInvalid;
}

void NodeRewrite::SetInput(size_t i, ValueId id) {
  while (node.inputs.size() <= i) node.inputs.push_back(kNoValue);
  node.inputs[i] = id;
}

bool NodeRewrite::Erase(std::string_view attribute) {
  const auto found = node.attributes.find(attribute);
  if (found == node.attributes.end()) return false;
  node.attributes.erase(found);
  return true;
}

ValueId NodeRewrite::Constant(HostTensor tensor) {
  return graph.AddConstant(StrCat(node.name, "/constant"), std::move(tensor));
}

ValueId NodeRewrite::ScalarLikeInput(double value) {
  const auto number = static_cast<float>(value);
  switch (TypeOf(0)) {
    case DataType::kFp64:
      return Constant(HostTensor::Of<double>(DataType::kFp64, {}, {value}));
    case DataType::kFp16:
      return Constant(HostTensor::Of<uint16_t>(DataType::kFp16, {}, {FloatToFp16(number)}));
    case DataType::kBf16:
      return Constant(HostTensor::Of<uint16_t>(DataType::kBf16, {}, {FloatToBf16(number)}));
    default:
      return Constant(HostTensor::Of<float>(DataType::kFp32, {}, {number}));
  }
}

ValueId NodeRewrite::Emit(std::string_view op, absl::Span<const ValueId> inputs,
                          std::map<std::string, AttributeValue, std::less<>> attributes) {
  const ValueId output = graph.AddValue({.name = StrCat(node.name, "/", op)});
  graph.nodes.push_back(Node{.op = std::string(op),
                             .domain = {},
                             .name = node.name,
                             .inputs = {inputs.begin(), inputs.end()},
                             .outputs = {output},
                             .attributes = std::move(attributes)});
  return output;
}

void NodeRewrite::EmitOutput(size_t i, std::string_view op, absl::Span<const ValueId> inputs,
                             std::map<std::string, AttributeValue, std::less<>> attributes) {
  if (!node.HasOutput(i)) return;
  graph.nodes.push_back(Node{.op = std::string(op),
                             .domain = {},
                             .name = node.name,
                             .inputs = {inputs.begin(), inputs.end()},
                             .outputs = {node.outputs[i]},
                             .attributes = std::move(attributes)});
}

void NodeRewrite::Alias(size_t i, ValueId value) {
  if (node.HasOutput(i)) sink.Alias(node.outputs[i], value);
}

absl::Status NormalizeNode(Node node, int64_t opset, Graph& graph, NodeSink& sink) {
  NodeRewrite rewrite(std::move(node), opset, graph, sink);
  if (rewrite.node.domain == "com.microsoft") {
    NEREID_RETURN_IF_ERROR(ApplyRows(MicrosoftRows(), rewrite));
  } else if (rewrite.node.domain.empty()) {
    for (const std::string_view attribute : kMeaningless) rewrite.Erase(attribute);
    for (const AttributeRow& row : kAttributeRows) {
      if (row.op == rewrite.node.op && opset < row.before) MoveAttribute(rewrite, row);
    }
    NEREID_RETURN_IF_ERROR(ApplyRows(StandardRows(), rewrite));
  }
  if (!rewrite.dropped()) graph.nodes.push_back(std::move(rewrite.node));
  return absl::OkStatus();
}

}  // namespace nereid::engine
