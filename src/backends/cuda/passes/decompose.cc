#include "backends/cuda/passes/decompose.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/expansion.h"

namespace nereid::engine {
namespace {

bool CastLike(Expansion& e) {
  const DataType type = e.TypeOf(e.In(1));
  if (ToOnnxType(type) == 0) return false;
  Expansion::Attributes attributes = {{"to", ToOnnxType(type)}};
  if (e.node.attributes.contains("saturate")) {
    attributes["saturate"] = e.node.attributes.at("saturate");
  }
  e.Make(0, "Cast", {e.In(0)}, std::move(attributes));
  return true;
}

bool SwiGlu(Expansion& e) {
  const ValueId gate = e.Op("Swish", {e.In(0)}, {{"alpha", e.node.Float("alpha", 1)}});
  e.Make(0, "Mul", {gate, e.In(1)});
  return true;
}

// Of bools: no kernel compares them.
bool BoolExtreme(Expansion& e) {
  if (e.TypeOf(e.In(0)) != DataType::kBool || !e.IsKnown(e.In(0))) return false;
  if (std::ranges::find(e.ShapeOf(e.In(0)), 0) != e.ShapeOf(e.In(0)).end()) return false;
  std::vector<ValueId> inputs(e.node.inputs.begin(), e.node.inputs.end());
  inputs[0] = e.Cast(inputs[0], DataType::kInt32);
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  const ValueId found = e.Op(e.node.op, std::move(inputs), e.node.attributes);
  e.Make(0, "Cast", {found}, {{"to", ToOnnxType(DataType::kBool)}});
  return e.ok();
}

// The first of the greatest elements is 1, the others 0.
bool Hardmax(Expansion& e) {
  const DataType type = e.TypeOf(e.In(0));
  if (!e.IsKnown(e.In(0)) || !IsFloating(type)) return false;
  const Shape& shape = e.ShapeOf(e.In(0));
  const auto rank = static_cast<int64_t>(shape.size());
  int64_t axis = e.node.Int("axis", -1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return false;
  const int64_t depth = shape[static_cast<size_t>(axis)];
  const ValueId at = e.Op("ArgMax", {e.In(0)}, {{"axis", axis}, {"keepdims", int64_t{0}}});
  const ValueId values =
      e.Concat({e.Reshape(e.Number(0, type), {1}), e.Reshape(e.Number(1, type), {1})}, 0);
  e.Make(0, "OneHot", {at, e.Ints({depth}), values}, {{"axis", axis}});
  return true;
}

// Without bounds.
bool Clip(Expansion& e) {
  if (e.Has(1) || e.Has(2)) return false;
  e.Make(0, "Identity", {e.In(0)});
  return true;
}

// Indices may be of any type of numbers.
bool OneHot(Expansion& e) {
  if (!IsFloating(e.TypeOf(e.In(0)))) return false;
  e.Make(0, "OneHot", {e.Cast(e.In(0), DataType::kInt64), e.In(1), e.In(2)}, e.node.attributes);
  return true;
}

constexpr DecompositionRow kRows[] = {
    {"CastLike", CastLike},     {"Clip", Clip},
    {"Hardmax", Hardmax},       {"OneHot", OneHot},
    {"ReduceMax", BoolExtreme}, {"ReduceMin", BoolExtreme},
    {"SwiGLU", SwiGlu},
};

absl::Span<const DecompositionRow> OtherDecompositions() { return kRows; }

constexpr absl::Span<const DecompositionRow> (*kFamilies[])() = {
    AttentionDecompositions, EinsumDecompositions,   NormDecompositions,
    OtherDecompositions,     QuantizeDecompositions, WindowDecompositions};

Decomposition Find(const Node& node) {
  if (!node.domain.empty()) return nullptr;
  for (const auto family : kFamilies) {
    for (const DecompositionRow& row : family()) {
      if (row.op == node.op) return row.run;
    }
  }
  return nullptr;
}

void DecomposeIn(Graph& graph) {
  ForEachSubgraph(graph, DecomposeIn);
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    const Decomposition run = Find(node);
    const size_t before = nodes.size();
    if (run != nullptr) {
      Expansion expansion(graph, node, nodes);
      if (run(expansion) && expansion.ok()) continue;
      nodes.resize(before);
    }
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace

absl::Status Decompose(Graph& graph) {
  DecomposeIn(graph);
  RemoveDead(graph);
  return absl::OkStatus();
}

}  // namespace nereid::engine
