#include "backends/cuda/passes/fuse_gelu.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/match.h"

namespace nereid::engine {
namespace {

bool Near(double a, double b) { return std::abs(a - b) <= 1e-3 * std::abs(b); }

bool IsErfArgument(const GraphEditor& editor, ValueId id, ValueId x) {
  Factors factors = FactorsOf(editor, id);
  return factors.values.size() == 1 && factors.values[0] == x &&
         Near(factors.scalar, std::numbers::sqrt2 / 2);
}

// √(2/π)·(x + 0.044715·x³)
bool IsTanhArgument(const GraphEditor& editor, ValueId id, ValueId x) {
  const Factors outer = FactorsOf(editor, id);
  if (outer.values.size() != 1 || !Near(outer.scalar, std::sqrt(2 / std::numbers::pi))) {
    return false;
  }
  const Node* sum = editor.Producer(outer.values[0], "Add");
  if (sum == nullptr) return false;
  for (size_t i = 0; i < 2; ++i) {
    if (sum->inputs[i] != x) continue;
    Factors cube = FactorsOf(editor, sum->inputs[1 - i]);
    const bool is_cube =
        cube.values.size() == 3 && std::all_of(cube.values.begin(), cube.values.end(),
                                               [x](ValueId factor) { return factor == x; });
    if (is_cube && Near(cube.scalar, 0.044715)) return true;
  }
  return false;
}

// The kind of Gelu whose gate, 1 + erf or tanh, `gate` is for `x`; nullptr when it is none.
const char* Approximation(const GraphEditor& editor, ValueId gate, ValueId x) {
  const Node* sum = editor.Producer(gate, "Add");
  if (sum == nullptr) return nullptr;
  const auto parts = SplitScalar(editor, *sum);
  if (!parts.has_value() || parts->second != 1.0) return nullptr;
  if (const Node* erf = editor.Producer(parts->first, "Erf"); erf != nullptr) {
    return IsErfArgument(editor, erf->inputs[0], x) ? "none" : nullptr;
  }
  if (const Node* tanh = editor.Producer(parts->first, "Tanh"); tanh != nullptr) {
    return IsTanhArgument(editor, tanh->inputs[0], x) ? "tanh" : nullptr;
  }
  return nullptr;
}

void FuseNode(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if ((node.op != "Mul" && node.op != "Div") || !node.domain.empty()) return;
  const Factors factors = FactorsOf(editor, node.outputs[0]);
  if (factors.values.size() != 2 || !Near(factors.scalar, 0.5)) return;
  for (size_t i = 0; i < 2; ++i) {
    const ValueId x = factors.values[i];
    const char* kind = Approximation(editor, factors.values[1 - i], x);
    if (kind == nullptr || editor.value(x).shape != editor.value(node.outputs[0]).shape) continue;
    editor.Replace(id, Node{.op = "Gelu",
                            .domain = {},
                            .name = node.name,
                            .inputs = {x},
                            .outputs = {},
                            .attributes = {{"approximate", std::string(kind)}}});
    return;
  }
}

}  // namespace

absl::Status FuseGelu(Graph& graph) {
  RewriteNodes(graph, FuseNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
