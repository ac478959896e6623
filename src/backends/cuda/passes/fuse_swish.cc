#include "backends/cuda/passes/fuse_swish.h"

#include <cmath>
#include <string>
#include <utility>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/match.h"

namespace nereid::engine {
namespace {

using Attributes = std::map<std::string, AttributeValue, std::less<>>;

Node Unary(const Node& like, const char* op, ValueId x, Attributes attributes = {}) {
  return Node{.op = op,
              .domain = {},
              .name = like.name,
              .inputs = {x},
              .outputs = {},
              .attributes = std::move(attributes)};
}

// x, when `id` is clip(x + 3, 0, 6) read once; else kNoValue.
ValueId ShiftedClip(const GraphEditor& editor, ValueId id) {
  const Node* clip = editor.Producer(id, "Clip");
  if (clip == nullptr || !editor.HasOneUse(id) || !clip->HasInput(1) || !clip->HasInput(2) ||
      ScalarOf(editor, clip->inputs[1]) != 0.0 || ScalarOf(editor, clip->inputs[2]) != 6.0) {
    return kNoValue;
  }
  const Node* add = editor.Producer(clip->inputs[0], "Add");
  if (add == nullptr || !editor.HasOneUse(clip->inputs[0])) return kNoValue;
  const auto parts = SplitScalar(editor, *add);
  return parts.has_value() && parts->second == 3.0 ? parts->first : kNoValue;
}

// The operator that x · gate is, with its attributes; nullptr when it is none.
const char* Gated(const GraphEditor& editor, ValueId x, ValueId gate, Attributes& attributes) {
  const Node* made = editor.Producer(gate);
  if (made == nullptr || !made->domain.empty() || !made->HasInput(0) || !editor.HasOneUse(gate)) {
    return nullptr;
  }
  const ValueId in = made->inputs[0];
  if (made->op == "Sigmoid") {
    if (in == x) return "Swish";
    const Node* scaled = editor.Producer(in, "Mul");
    if (scaled == nullptr || !editor.HasOneUse(in)) return nullptr;
    const auto parts = SplitScalar(editor, *scaled);
    if (!parts.has_value() || parts->first != x) return nullptr;
    attributes["alpha"] = static_cast<float>(parts->second);
    return "Swish";
  }
  if (made->op == "HardSigmoid" && in == x) {
    const bool usual = std::abs(made->Float("alpha", 0.2f) - 1.0f / 6) < 1e-4f &&
                       std::abs(made->Float("beta", 0.5f) - 0.5f) < 1e-6f;
    return usual ? "HardSwish" : nullptr;
  }
  if (made->op == "Tanh") {
    const Node* softplus = editor.Producer(in, "Softplus");
    const bool mish = softplus != nullptr && softplus->inputs[0] == x && editor.HasOneUse(in);
    return mish ? "Mish" : nullptr;
  }
  return nullptr;
}

void FuseProduct(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  for (size_t i = 0; i < 2; ++i) {
    Attributes attributes;
    const ValueId x = node.inputs[i];
    const char* op = Gated(editor, x, node.inputs[1 - i], attributes);
    if (op == nullptr) continue;
    editor.Replace(id, Unary(node, op, x, std::move(attributes)));
    return;
  }
}

// … / 6, or … · 1/6
void FuseSixth(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  const auto parts = SplitScalar(editor, node);
  if (!parts.has_value()) return;
  if (node.op == "Div" && parts->first != node.inputs[0]) return;
  const double factor = node.op == "Div" ? 1 / parts->second : parts->second;
  if (std::abs(factor - 1.0 / 6) > 1e-4) return;
  if (const ValueId x = ShiftedClip(editor, parts->first); x != kNoValue) {
    editor.Replace(id, Unary(node, "HardSigmoid", x, {{"alpha", 1.0f / 6}, {"beta", 0.5f}}));
    return;
  }
  const Node* product = editor.Producer(parts->first, "Mul");
  if (product == nullptr || !editor.HasOneUse(parts->first)) return;
  for (size_t i = 0; i < 2; ++i) {
    const ValueId x = product->inputs[i];
    if (ShiftedClip(editor, product->inputs[1 - i]) != x) continue;
    editor.Replace(id, Unary(node, "HardSwish", x));
    return;
  }
}

void FuseNode(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if (!node.domain.empty() || !node.HasInput(0) || !node.HasInput(1)) return;
  if (node.op == "Mul") FuseProduct(editor, id);
  const Node& now = editor.node(id);
  if (now.op == "Mul" || now.op == "Div") FuseSixth(editor, id);
}

}  // namespace

absl::Status FuseSwish(Graph& graph) {
  RewriteNodes(graph, FuseNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
