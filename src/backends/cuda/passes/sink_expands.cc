#include "backends/cuda/passes/sink_expands.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/match.h"

namespace nereid::engine {
namespace {

constexpr std::string_view kElementwise[] = {"Abs", "Add", "Cast", "Div",  "Mul",
                                             "Neg", "Not", "Sub",  "Where"};

bool AllEqual(const HostTensor* tensor, bool value) {
  if (tensor == nullptr || tensor->type() != DataType::kBool) return false;
  for (int64_t i = 0; i < tensor->element_count(); ++i) {
    if ((tensor->AsDouble(i) != 0) != value) return false;
  }
  return true;
}

Node Expand(GraphEditor& editor, const Node& like, ValueId x, const Shape& shape) {
  const ValueId extents =
      editor.AddConstant(like.name + "/extents", HostTensor::Vector(absl::MakeConstSpan(shape)));
  return Node{"Expand", "", like.name, {x, extents}, {like.outputs[0]}, {}};
}

void DropNeutral(GraphEditor& editor, NodeId id) {
  const Node node = editor.node(id);
  const bool conjunction = node.op == "And";
  if ((!conjunction && node.op != "Or") || !node.HasInput(0) || !node.HasInput(1)) return;
  const Shape* shape = KnownShape(editor, node.outputs[0]);
  if (shape == nullptr) return;
  for (const size_t i : {0, 1}) {
    if (!AllEqual(editor.Constant(node.inputs[i]), conjunction)) continue;
    const Shape out = *shape;
    editor.Replace(id, Expand(editor, node, node.inputs[1 - i], out));
    return;
  }
}

// The input of an elementwise node that an Expand makes for it, when the others are single numbers.
std::optional<size_t> SpreadInput(const GraphEditor& editor, const Node& node) {
  std::optional<size_t> spread;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const HostTensor* constant = editor.Constant(node.inputs[i]);
    if (constant != nullptr && constant->element_count() == 1) continue;
    if (spread || editor.Producer(node.inputs[i], "Expand") == nullptr ||
        !editor.HasOneUse(node.inputs[i])) {
      return std::nullopt;
    }
    spread = i;
  }
  return spread;
}

void Sink(GraphEditor& editor, NodeId id) {
  const Node node = editor.node(id);
  if (std::ranges::find(kElementwise, std::string_view(node.op)) == std::end(kElementwise)) return;
  const auto spread = SpreadInput(editor, node);
  if (!spread || node.outputs.size() != 1) return;
  const ValueId x = editor.Producer(node.inputs[*spread])->inputs[0];
  const Shape *from = KnownShape(editor, x), *to = KnownShape(editor, node.outputs[0]);
  const Shape* between = KnownShape(editor, node.inputs[*spread]);
  if (from == nullptr || to == nullptr || between == nullptr || *between != *to) return;
  // Of as many axes, so that the numbers beside it add none.
  if (from->size() != to->size()) return;
  const Shape inner = *from, outer = *to;
  Node narrow = node;
  narrow.inputs[*spread] = x;
  narrow.outputs.clear();
  const ValueId result =
      editor.InsertBefore(id, std::move(narrow), editor.value(node.outputs[0]).type, inner);
  editor.Replace(id, Expand(editor, node, result, outer));
}

void RewriteNode(GraphEditor& editor, NodeId id) {
  if (!editor.node(id).domain.empty()) return;
  DropNeutral(editor, id);
  Sink(editor, id);
}

}  // namespace

absl::Status SinkExpands(Graph& graph) {
  RewriteNodes(graph, RewriteNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
