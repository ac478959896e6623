#include "backends/cuda/passes/fuse_norm.h"

#include <algorithm>
#include <optional>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Of a scale that is made up.
constexpr int64_t kMaxParameters = int64_t{1} << 24;

// A mean over the last `count` axes that keeps them.
struct Mean {
  ValueId of = kNoValue;
  size_t count = 0;
};

std::optional<Mean> FindMean(const GraphEditor& editor, ValueId id) {
  const Node* node = editor.Producer(id, "ReduceMean");
  if (node == nullptr || node->Int("keepdims", 1) == 0 || !node->HasInput(1)) return std::nullopt;
  const HostTensor* list = editor.Constant(node->inputs[1]);
  const Shape* shape = KnownShape(editor, node->inputs[0]);
  if (list == nullptr || shape == nullptr) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape->size());
  std::vector<int64_t> axes = list->AsInt64Vector();
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != rank - static_cast<int64_t>(axes.size() - i)) return std::nullopt;
  }
  if (axes.empty()) return std::nullopt;
  return Mean{node->inputs[0], axes.size()};
}

// x, when `id` is x - mean(x) over the last `count` axes; else kNoValue.
ValueId Centred(const GraphEditor& editor, ValueId id, size_t count) {
  const Node* sub = editor.Producer(id, "Sub");
  if (sub == nullptr) return kNoValue;
  const auto mean = FindMean(editor, sub->inputs[1]);
  return mean.has_value() && mean->of == sub->inputs[0] && mean->count == count ? mean->of
                                                                                : kNoValue;
}

struct Deviation {
  ValueId of = kNoValue;  // d in √(mean(d²) + ε)
  size_t count = 0;
  double epsilon = 0;
};

std::optional<Deviation> FindDeviation(const GraphEditor& editor, ValueId id) {
  const Node* root = editor.Producer(id, "Sqrt");
  ValueId variance = kNoValue;
  if (root != nullptr) {
    variance = root->inputs[0];
  } else if (const Node* power = editor.Producer(id, "Pow");
             power != nullptr && IsNear(editor, power->inputs[1], 0.5)) {
    variance = power->inputs[0];
  }
  const Node* sum = editor.Producer(variance, "Add");
  if (sum == nullptr) return std::nullopt;
  const auto parts = SplitScalar(editor, *sum);
  if (!parts.has_value()) return std::nullopt;
  const auto mean = FindMean(editor, parts->first);
  if (!mean.has_value()) return std::nullopt;
  const Factors square = FactorsOf(editor, mean->of);
  if (square.scalar != 1 || square.values.size() != 2 || square.values[0] != square.values[1]) {
    return std::nullopt;
  }
  return Deviation{square.values[0], mean->count, parts->second};
}

// d / √…, d · (1 / √…)
std::optional<Deviation> FindNormalized(const GraphEditor& editor, const Node& node) {
  if (node.op == "Div") {
    auto deviation = FindDeviation(editor, node.inputs[1]);
    if (deviation.has_value() && deviation->of == node.inputs[0]) return deviation;
    // The numerator may be a second x - mean(x).
    if (deviation.has_value()) {
      const ValueId x = Centred(editor, node.inputs[0], deviation->count);
      if (x != kNoValue && x == Centred(editor, deviation->of, deviation->count)) return deviation;
    }
    return std::nullopt;
  }
  for (size_t i = 0; i < 2; ++i) {
    const Node* inverse = editor.Producer(node.inputs[i]);
    if (inverse == nullptr || !inverse->domain.empty()) continue;
    const bool divides = inverse->op == "Reciprocal" ||
                         (inverse->op == "Div" && ScalarOf(editor, inverse->inputs[0]) == 1.0);
    if (!divides) continue;
    const auto deviation = FindDeviation(editor, inverse->inputs.back());
    if (deviation.has_value() && deviation->of == node.inputs[1 - i]) return deviation;
  }
  return std::nullopt;
}

bool FuseNormalized(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  const auto found = FindNormalized(editor, node);
  const Shape* shape = KnownShape(editor, node.outputs[0]);
  if (!found.has_value() || shape == nullptr) return false;
  const DataType type = editor.value(found->of).type;
  if (!IsFloating(type)) return false;
  const ValueId centred = Centred(editor, found->of, found->count);
  const Shape extents(shape->end() - static_cast<std::ptrdiff_t>(found->count), shape->end());
  if (*ElementCount(extents) > kMaxParameters) return false;
  const std::string name = node.name;
  const ValueId ones = editor.AddConstant(StrCat(name, "/scale"),
                                          MakeTensor(type, extents, [](int64_t) { return 1; }));
  editor.Replace(id, Node{.op = centred != kNoValue ? "LayerNormalization" : "RMSNormalization",
                          .domain = {},
                          .name = name,
                          .inputs = {centred != kNoValue ? centred : found->of, ones},
                          .outputs = {},
                          .attributes = {{"axis", -static_cast<int64_t>(found->count)},
                                         {"epsilon", static_cast<float>(found->epsilon)}}});
  return true;
}

// A constant as scale or bias of the normalisation: of its extents, or one number for all.
std::optional<HostTensor> AsParameter(const GraphEditor& editor, ValueId id, const Node& norm) {
  const HostTensor* tensor = editor.Constant(id);
  const HostTensor* scale = editor.Constant(norm.inputs[1]);
  if (tensor == nullptr || scale == nullptr || !IsFloating(tensor->type())) return std::nullopt;
  Shape shape = tensor->shape();
  while (shape.size() > scale->shape().size() && shape.front() == 1) shape.erase(shape.begin());
  if (shape == scale->shape()) return tensor->Reshaped(shape);
  if (!tensor->is_scalar_like()) return std::nullopt;
  const double number = tensor->AsDouble(0);
  return MakeTensor(scale->type(), scale->shape(), [number](int64_t) { return number; });
}

// norm · scale, norm + bias
void FuseParameter(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  for (size_t i = 0; i < 2; ++i) {
    const ValueId input = node.inputs[i];
    const Node* norm = editor.Producer(input);
    if (norm == nullptr || !norm->domain.empty() || !editor.HasOneUse(input) ||
        (norm->op != "LayerNormalization" && norm->op != "RMSNormalization") ||
        editor.value(input).shape != editor.value(node.outputs[0]).shape) {
      continue;
    }
    const bool has_bias = norm->HasInput(2);
    auto parameter = AsParameter(editor, node.inputs[1 - i], *norm);
    if (!parameter.has_value() || has_bias) continue;
    if (node.op == "Mul" && ScalarOf(editor, norm->inputs[1]) != 1.0) continue;
    if (node.op == "Add" && norm->op != "LayerNormalization") continue;
    Node fused = *norm;
    const ValueId constant =
        editor.AddConstant(StrCat(node.name, "/parameter"), *std::move(parameter));
    if (node.op == "Mul") {
      fused.inputs[1] = constant;
    } else {
      fused.inputs.resize(3, kNoValue);
      fused.inputs[2] = constant;
    }
    editor.Replace(id, std::move(fused));
    return;
  }
}

void FuseNode(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if (!node.domain.empty() || !node.HasInput(0) || !node.HasInput(1)) return;
  if ((node.op == "Div" || node.op == "Mul") && FuseNormalized(editor, id)) return;
  if (node.op == "Mul" || node.op == "Add") FuseParameter(editor, id);
}

}  // namespace

absl::Status FuseNorm(Graph& graph) {
  RewriteNodes(graph, FuseNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
