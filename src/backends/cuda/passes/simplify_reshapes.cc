#include "backends/cuda/passes/simplify_reshapes.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

bool IsView(const Node* node) {
  return node != nullptr && node->domain.empty() &&
         (node->op == "Reshape" || node->op == "Flatten" || node->op == "Squeeze" ||
          node->op == "Unsqueeze");
}

bool HasTarget(const GraphEditor& editor, const Node& node, const Shape& shape) {
  if (node.op != "Reshape" || node.Int("allowzero", 0) != 1) return false;
  const HostTensor* target = editor.Constant(node.inputs[1]);
  return target != nullptr &&
         target->AsInt64Vector() == std::vector<int64_t>(shape.begin(), shape.end());
}

void ReshapeTo(GraphEditor& editor, NodeId id, ValueId x, const Shape& shape) {
  const ValueId target =
      editor.AddConstant(StrCat(editor.node(id).name, "/shape"), HostTensor::Vector(shape));
  editor.Replace(id, Node{.op = "Reshape",
                          .domain = {},
                          .name = editor.node(id).name,
                          .inputs = {x, target},
                          .outputs = {},
                          .attributes = {{"allowzero", int64_t{1}}}});
}

// reshape(softmax(reshape(x))), both keeping the last extent, is softmax(x).
bool SkipSoftmax(GraphEditor& editor, NodeId id, const Shape& shape) {
  const Node& node = editor.node(id);
  const ValueId soft = node.inputs[0];
  const Node* softmax = editor.Producer(soft);
  if (softmax == nullptr || !softmax->domain.empty() || !editor.HasOneUse(soft) ||
      (softmax->op != "Softmax" && softmax->op != "LogSoftmax" && softmax->op != "Hardmax")) {
    return false;
  }
  const Shape* inside = KnownShape(editor, softmax->inputs[0]);
  const Node* before = editor.Producer(softmax->inputs[0]);
  if (inside == nullptr || inside->empty() || !IsView(before)) return false;
  const int64_t axis = softmax->Int("axis", -1);
  const Shape* x = KnownShape(editor, before->inputs[0]);
  if ((axis != -1 && axis != static_cast<int64_t>(inside->size()) - 1) || x == nullptr ||
      *x != shape || shape.empty() || shape.back() != inside->back()) {
    return false;
  }
  Node direct = *softmax;
  direct.inputs[0] = before->inputs[0];
  direct.attributes["axis"] = int64_t{-1};
  editor.Replace(id, std::move(direct));
  return true;
}

// Longer lists of indices are not looked through.
constexpr int64_t kMostIndices = int64_t{1} << 20;

// Whether a Gather takes everything there is along its axis, in order.
bool GathersAll(const GraphEditor& editor, const Node& node) {
  if (node.op != "Gather" || !node.domain.empty()) return false;
  const HostTensor* indices = editor.Constant(node.inputs[1]);
  const Shape* shape = KnownShape(editor, node.inputs[0]);
  if (indices == nullptr || shape == nullptr) return false;
  int64_t axis = node.Int("axis", 0);
  if (axis < 0) axis += static_cast<int64_t>(shape->size());
  const int64_t count = indices->element_count();
  if (axis < 0 || axis >= static_cast<int64_t>(shape->size()) ||
      count != (*shape)[static_cast<size_t>(axis)] || count > kMostIndices) {
    return false;
  }
  for (int64_t i = 0; i < count; ++i) {
    if (indices->AsInt64(i) != i) return false;
  }
  return true;
}

// Operators that broadcast their operands to one another.
constexpr std::array<std::string_view, 15> kBroadcasts = {
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
    "Max", "Min", "Mul", "Or",    "Sub",     "Where",          "Xor"};

Shape Broadcast(const Shape& a, const Shape& b) {
  Shape shape = a.size() >= b.size() ? a : b;
  const Shape& other = a.size() >= b.size() ? b : a;
  const size_t lead = shape.size() - other.size();
  for (size_t i = 0; i < other.size(); ++i) {
    if (shape[lead + i] == 1) shape[lead + i] = other[i];
  }
  return shape;
}

// op(expand(x), y) → op(x, y), where y spreads x as far.
void SkipExpands(GraphEditor& editor, NodeId id) {
  Node node = editor.node(id);
  const Shape* out = node.HasOutput(0) ? KnownShape(editor, node.outputs[0]) : nullptr;
  if (out == nullptr || std::ranges::find(kBroadcasts, node.op) == kBroadcasts.end()) return;
  bool changed = false;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Node* expand = editor.Producer(node.inputs[i], "Expand");
    if (expand == nullptr) continue;
    Shape without;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const Shape* shape = KnownShape(editor, k == i ? expand->inputs[0] : node.inputs[k]);
      if (shape == nullptr) return;
      without = Broadcast(without, *shape);
    }
    if (without != *out) continue;
    node.inputs[i] = expand->inputs[0];
    changed = true;
  }
  if (changed) editor.Replace(id, std::move(node));
}

void SimplifyNode(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if (node.domain.empty()) SkipExpands(editor, id);
  if (GathersAll(editor, node)) {
    if (const Shape* shape = KnownShape(editor, node.outputs[0])) {
      ReshapeTo(editor, id, node.inputs[0], Shape(*shape));
    }
    return;
  }
  if (!IsView(&node) || !node.HasOutput(0)) return;
  const Shape* known = KnownShape(editor, node.outputs[0]);
  if (known == nullptr) return;
  const Shape shape = *known;
  if (SkipSoftmax(editor, id, shape)) return;
  if (const Node* inner = editor.Producer(node.inputs[0]); IsView(inner)) {
    ReshapeTo(editor, id, inner->inputs[0], shape);
    return;
  }
  const Shape* from = KnownShape(editor, node.inputs[0]);
  if (from != nullptr && *from == shape) {
    const auto& readers = editor.Readers(node.outputs[0]);
    const bool only_output = std::all_of(readers.begin(), readers.end(),
                                         [](NodeId reader) { return reader == kGraphOutput; });
    const bool takes_name =
        editor.ProducerId(node.inputs[0]) >= 0 && editor.HasOneUse(node.inputs[0]);
    if (!only_output || (takes_name && !readers.empty())) {
      editor.ReplaceUses(node.outputs[0], node.inputs[0]);
      return;
    }
  }
  if (!HasTarget(editor, node, shape)) ReshapeTo(editor, id, node.inputs[0], shape);
}

}  // namespace

absl::Status SimplifyReshapes(Graph& graph) {
  RewriteNodes(graph, SimplifyNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
