#include "backends/cuda/passes/fuse_pad.h"

#include <optional>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/match.h"

namespace nereid::engine {
namespace {

// Padding before and after of the spatial axes, as the attribute `pads` has it; absent when the Pad
// does something else.
std::optional<std::vector<int64_t>> SpatialZeros(const GraphEditor& editor, const Node& pad) {
  if (pad.String("mode", "constant") != "constant" || !pad.HasInput(1)) return std::nullopt;
  if (pad.HasInput(2) && ScalarOf(editor, pad.inputs[2]) != 0.0) return std::nullopt;
  const HostTensor* pads = editor.Constant(pad.inputs[1]);
  const Shape* shape = KnownShape(editor, pad.inputs[0]);
  if (pads == nullptr || shape == nullptr || shape->size() < 3) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape->size());
  std::vector<int64_t> axes;
  if (pad.HasInput(3)) {
    if (editor.Constant(pad.inputs[3]) == nullptr) return std::nullopt;
    axes = editor.Constant(pad.inputs[3])->AsInt64Vector();
  } else {
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  const auto count = static_cast<int64_t>(axes.size());
  if (pads->element_count() != 2 * count) return std::nullopt;
  std::vector<int64_t> out(static_cast<size_t>(2 * (rank - 2)), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t axis = axes[static_cast<size_t>(i)];
    if (axis < 0) axis += rank;
    const int64_t before = pads->AsInt64(i);
    const int64_t after = pads->AsInt64(i + count);
    if (before < 0 || after < 0 || axis < 0 || axis >= rank) return std::nullopt;
    if (axis < 2) {
      if (before != 0 || after != 0) return std::nullopt;
      continue;
    }
    out[static_cast<size_t>(axis - 2)] += before;
    out[static_cast<size_t>(axis - 2 + rank - 2)] += after;
  }
  return out;
}

void FuseNode(GraphEditor& editor, NodeId id) {
  const Node& conv = editor.node(id);
  if (conv.op != "Conv" || !conv.domain.empty() || !conv.HasInput(0)) return;
  if (conv.String("auto_pad", "NOTSET") != "NOTSET") return;
  const Node* pad = editor.Producer(conv.inputs[0], "Pad");
  if (pad == nullptr) return;
  auto pads = SpatialZeros(editor, *pad);
  if (!pads.has_value()) return;
  const std::vector<int64_t> own = conv.Ints("pads");
  for (size_t i = 0; i < own.size() && i < pads->size(); ++i) (*pads)[i] += own[i];
  Node fused = conv;
  fused.inputs[0] = pad->inputs[0];
  fused.attributes["pads"] = *std::move(pads);
  editor.Replace(id, std::move(fused));
}

}  // namespace

absl::Status FusePad(Graph& graph) {
  RewriteNodes(graph, FuseNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
