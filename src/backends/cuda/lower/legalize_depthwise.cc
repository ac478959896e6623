#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/lower/legalize_rules.h"
#include "backends/cuda/passes/match.h"

namespace nereid::engine {
namespace {

struct ActivationRow {
  std::string_view op;
  std::string_view alpha, beta;  // attributes
  float alpha_default, beta_default;
};
constexpr ActivationRow kActivations[] = {
    {"HardSigmoid", "alpha", "beta", 0.2f, 0.5f},
    {"HardSwish", "", "", 0, 0},
    {"LeakyRelu", "alpha", "", 0.01f, 0},
    {"Relu", "", "", 0, 0},
    {"Sigmoid", "", "", 0, 0},
};

// What an activation is called in a nereid.Depthwise, and its numbers.
struct Activation {
  std::string name;
  float alpha = 0, beta = 0;
};

std::optional<Activation> ActivationOf(const GraphEditor& editor, const Node& node) {
  if (Is(node, "Swish") && node.Float("alpha", 1) == 1) return Activation{"Swish"};
  if (Is(node, "Clip")) {
    const HostTensor* low = node.HasInput(1) ? editor.Constant(node.inputs[1]) : nullptr;
    const HostTensor* high = node.HasInput(2) ? editor.Constant(node.inputs[2]) : nullptr;
    if (low == nullptr || high == nullptr) return std::nullopt;
    return Activation{"Clip", static_cast<float>(low->AsDouble(0)),
                      static_cast<float>(high->AsDouble(0))};
  }
  const auto* row = std::ranges::find(kActivations, std::string_view(node.op), &ActivationRow::op);
  if (!node.domain.empty() || row == std::end(kActivations)) return std::nullopt;
  return Activation{node.op, node.Float(row->alpha, row->alpha_default),
                    node.Float(row->beta, row->beta_default)};
}

bool IsDepthwise(const Node& node) { return Is(node, kDepthwise, kNereidDomain); }

// The node that makes `id` for this reader only; nullptr when there is none, or what goes in has
// another type or shape than what comes out.
const Node* OnlyProducer(const GraphEditor& editor, ValueId id) {
  const Node* node = editor.Producer(id);
  if (node == nullptr || !editor.HasOneUse(id) || node->outputs.size() != 1) return nullptr;
  return node;
}

bool Keeps(const GraphEditor& editor, ValueId from, ValueId to) {
  return editor.value(from).type == editor.value(to).type &&
         editor.value(from).shape == editor.value(to).shape;
}

// Goes on from `x` to what a multiplication by, or an addition of, one number makes it of.
bool OpenScalar(const GraphEditor& editor, std::string_view op, ValueId& x, double& number) {
  const Node* node = OnlyProducer(editor, x);
  if (node == nullptr || !Is(*node, op)) return false;
  const auto parts = SplitScalar(editor, *node);
  if (!parts || !Keeps(editor, parts->first, x)) return false;
  x = parts->first;
  number = parts->second;
  return true;
}

}  // namespace

void LowerDepthwise(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  Node node = editor.node(id);
  if ((!Is(node, "Conv") && !Is(node, kFusedConv, kNereidDomain)) || node.HasInput(3) ||
      KnownShape(editor, node.inputs[0]) == nullptr)
    return;
  const Shape& x = *KnownShape(editor, node.inputs[0]);
  const HostTensor* filter = editor.Constant(node.inputs[1]);
  if (filter == nullptr || x.size() < 3 || x.size() > 4) return;
  const int64_t groups = node.Int("group", 1);
  if (groups == 1 || groups != x[1] || filter->shape()[0] != groups) return;
  node.op = kDepthwise;
  node.domain = kNereidDomain;
  editor.Replace(id, std::move(node));
}

void FuseDepthwiseActivation(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  const Node node = editor.node(id);
  if (node.inputs.empty() || node.inputs[0] == kNoValue || node.outputs.size() != 1) return;
  const Node* conv = editor.Producer(node.inputs[0]);
  if (conv == nullptr || !IsDepthwise(*conv)) return;
  if (!conv->String("activation", "").empty() || !editor.HasOneUse(node.inputs[0])) return;
  const auto activation = ActivationOf(editor, node);
  if (!activation) return;
  Node fused = *conv;
  fused.attributes["activation"] = activation->name;
  fused.attributes["alpha"] = activation->alpha;
  fused.attributes["beta"] = activation->beta;
  fused.outputs = node.outputs;
  editor.Replace(id, std::move(fused));
}

void FuseDepthwiseInput(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  const Node& node = editor.node(id);
  if (!IsDepthwise(node) || node.attributes.contains("input_activation")) return;
  ValueId x = node.inputs[0];
  double scale = 1, shift = 0;
  const bool shifted = OpenScalar(editor, "Add", x, shift);
  const bool scaled = OpenScalar(editor, "Mul", x, scale);
  const Node* producer = OnlyProducer(editor, x);
  auto activation = producer == nullptr ? std::nullopt : ActivationOf(editor, *producer);
  if (activation && !Keeps(editor, producer->inputs[0], x)) activation.reset();
  if (!activation && !shifted && !scaled) return;
  Node fused = node;
  fused.inputs[0] = activation ? producer->inputs[0] : x;
  fused.attributes["input_activation"] = activation ? activation->name : std::string();
  fused.attributes["input_alpha"] = activation ? activation->alpha : 0.0f;
  fused.attributes["input_beta"] = activation ? activation->beta : 0.0f;
  fused.attributes["input_scale"] = static_cast<float>(scale);
  fused.attributes["input_shift"] = static_cast<float>(shift);
  editor.Replace(id, std::move(fused));
}

}  // namespace nereid::engine
