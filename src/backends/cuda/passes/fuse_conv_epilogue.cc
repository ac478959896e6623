#include "backends/cuda/passes/fuse_conv_epilogue.h"

#include <string>
#include <utility>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/passes/match.h"

namespace nereid::engine {
namespace {

// The convolution, plain or fused without an activation, that makes `id` for one reader.
const Node* FindConv(const GraphEditor& editor, ValueId id) {
  const Node* node = editor.Producer(id);
  if (node == nullptr || !editor.HasOneUse(id)) return nullptr;
  if (node->domain.empty() && node->op == "Conv" && !node->attributes.contains("auto_pad")) {
    return node;
  }
  const bool fused = node->domain == kNereidDomain && node->op == kFusedConv;
  return fused && node->String("activation", "").empty() ? node : nullptr;
}

Node Fused(const Node& conv) {
  Node fused = conv;
  fused.op = kFusedConv;
  fused.domain = kNereidDomain;
  fused.attributes.try_emplace("activation", std::string());
  return fused;
}

void FuseResidual(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  const Shape* shape = KnownShape(editor, node.outputs[0]);
  if (shape == nullptr || node.inputs[0] == node.inputs[1]) return;
  // Of two convolutions, the later one takes the other's result.
  const bool second_later = editor.ProducerId(node.inputs[1]) > editor.ProducerId(node.inputs[0]);
  for (const size_t i : {size_t{second_later}, size_t{!second_later}}) {
    const Node* conv = FindConv(editor, node.inputs[i]);
    const ValueId residual = node.inputs[1 - i];
    if (conv == nullptr || conv->HasInput(3)) continue;
    const Shape* other = KnownShape(editor, residual);
    if (other == nullptr || *other != *shape || editor.value(node.inputs[i]).shape != *shape) {
      continue;
    }
    Node fused = Fused(*conv);
    fused.inputs.resize(4, kNoValue);
    fused.inputs[3] = residual;
    editor.Replace(id, std::move(fused));
    return;
  }
}

void FuseNode(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if (!node.domain.empty() || !node.HasInput(0)) return;
  if (node.op == "Add" && node.HasInput(1)) {
    FuseResidual(editor, id);
  } else if (node.op == "Relu") {
    const Node* conv = FindConv(editor, node.inputs[0]);
    if (conv == nullptr) return;
    Node fused = Fused(*conv);
    fused.attributes["activation"] = std::string("Relu");
    editor.Replace(id, std::move(fused));
  }
}

}  // namespace

absl::Status FuseConvEpilogue(Graph& graph) {
  RewriteNodes(graph, FuseNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
