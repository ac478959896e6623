#include "backends/cuda/passes/select_branches.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/infer_rules.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Of one branch: what is computed in vain costs time.
constexpr size_t kMostNodes = 4096;

// Operators that fail on some contents of an input that is not a constant, by the input's index;
// -1: always, or they give something else every time.
constexpr struct {
  std::string_view op;
  int input;
} kFailing[] = {{"Bernoulli", -1},
                {"Compress", -1},
                {"Gather", 1},
                {"GatherElements", 1},
                {"GatherND", 1},
                {"If", -1},
                {"Loop", -1},
                {"MaxUnpool", 1},
                {"MelWeightMatrix", -1},
                {"Multinomial", -1},
                {"NegativeLogLikelihoodLoss", 1},
                {"NonMaxSuppression", -1},
                {"NonZero", -1},
                {"OneHot", 1},
                {"RandomNormal", -1},
                {"RandomNormalLike", -1},
                {"RandomUniform", -1},
                {"RandomUniformLike", -1},
                {"ReverseSequence", -1},
                {"Scan", -1},
                {"ScatterElements", 1},
                {"ScatterND", 1},
                {"SoftmaxCrossEntropyLoss", 1},
                {"TensorScatter", -1},
                {"Unique", -1}};

bool CanFail(const Graph& graph, const Node& node) {
  if (!HasShapeRule(node)) return true;
  const auto* row = std::ranges::find_if(kFailing, [&](const auto& r) { return r.op == node.op; });
  if (row == std::end(kFailing)) return false;
  if (row->input < 0) return true;
  const auto input = static_cast<size_t>(row->input);
  return !node.HasInput(input) || !graph.value(node.inputs[input]).is_constant();
}

bool IsFixed(const Value& value) {
  return ElementByteSize(value.type) > 0 && value.shape.has_value() && IsKnown(*value.shape);
}

bool CanSelect(const Graph& branch) {
  if (branch.nodes.size() > kMostNodes || !branch.inputs.empty()) return false;
  return std::ranges::all_of(branch.nodes, [&](const Node& node) {
    return !CanFail(branch, node) && std::ranges::all_of(node.outputs, [&](ValueId id) {
      return id == kNoValue || IsFixed(branch.value(id));
    });
  });
}

bool CanSelect(const Graph& graph, const Node& node) {
  const Graph *yes = node.Subgraph("then_branch"), *no = node.Subgraph("else_branch");
  if (node.op != "If" || !node.domain.empty() || yes == nullptr || no == nullptr) return false;
  const Value& condition = graph.value(node.inputs[0]);
  if (!IsFixed(condition) || condition.shape->size() > 1) return false;
  if (condition.shape->size() == 1 && (*condition.shape)[0] != 1) return false;
  if (yes->outputs.size() < node.outputs.size() || no->outputs.size() < node.outputs.size()) {
    return false;
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const Value &a = yes->value(yes->outputs[i]), &b = no->value(no->outputs[i]);
    if (!IsFixed(a) || !IsFixed(b) || a.type != b.type || a.shape != b.shape) return false;
  }
  return CanSelect(*yes) && CanSelect(*no);
}

// Appends the branch's nodes; its outputs, as values of `graph`.
std::vector<ValueId> Inline(const Graph& branch, const std::string& prefix, Graph& graph,
                            std::vector<Node>& nodes) {
  std::vector<ValueId> names(branch.values.size(), kNoValue);
  for (const auto& [outer, inner] : branch.captures) names[static_cast<size_t>(inner)] = outer;
  const auto find = [&](ValueId id) {
    if (id == kNoValue) return kNoValue;
    ValueId& name = names[static_cast<size_t>(id)];
    if (name == kNoValue) {
      Value value = branch.value(id);
      value.name = StrCat(prefix, value.name);
      name = graph.AddValue(std::move(value));
    }
    return name;
  };
  for (const Node& from : branch.nodes) {
    Node node = from;
    node.name = StrCat(prefix, node.name);
    for (ValueId& id : node.inputs) id = find(id);
    for (ValueId& id : node.outputs) id = find(id);
    nodes.push_back(std::move(node));
  }
  std::vector<ValueId> outputs;
  for (const ValueId id : branch.outputs) outputs.push_back(find(id));
  return outputs;
}

ValueId Scalar(ValueId condition, const std::string& name, Graph& graph, std::vector<Node>& nodes) {
  if (graph.value(condition).shape->empty()) return condition;
  const ValueId target = graph.AddConstant(StrCat(name, "/extents"), HostTensor::Vector({}));
  const ValueId scalar = graph.AddValue(
      {.name = StrCat(name, "/condition"), .type = DataType::kBool, .shape = ScalarShape()});
  nodes.push_back(Node{"Reshape", "", name, {condition, target}, {scalar}, {}});
  return scalar;
}

void Select(const Node& node, Graph& graph, std::vector<Node>& nodes) {
  const ValueId condition = Scalar(node.inputs[0], node.name, graph, nodes);
  const auto yes = Inline(*node.Subgraph("then_branch"), StrCat(node.name, "/then/"), graph, nodes);
  const auto no = Inline(*node.Subgraph("else_branch"), StrCat(node.name, "/else/"), graph, nodes);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.HasOutput(i)) continue;
    Value& output = graph.value(node.outputs[i]);
    output.type = graph.value(yes[i]).type;
    output.shape = graph.value(yes[i]).shape;
    nodes.push_back(
        Node{"Where", "", node.name, {condition, yes[i], no[i]}, {node.outputs[i]}, {}});
  }
}

void SelectIn(Graph& graph) {
  // Inner ones first: a branch without an If can be taken over itself.
  ForEachSubgraph(graph, SelectIn);
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    if (CanSelect(graph, node)) {
      Select(node, graph, nodes);
    } else {
      nodes.push_back(std::move(node));
    }
  }
  graph.nodes = std::move(nodes);
}

}  // namespace

absl::Status SelectBranches(Graph& graph) {
  SelectIn(graph);
  RemoveDead(graph);
  return absl::OkStatus();
}

}  // namespace nereid::engine
