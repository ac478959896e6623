#include "backends/cuda/passes/merge_products.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

struct Member {
  NodeId product = -1;
  NodeId sum = -1;                     // the Add of its bias; -1 when there is none
  const HostTensor* weight = nullptr;  // [K, N]
  const HostTensor* bias = nullptr;    // [N]

  int64_t columns() const { return weight->shape()[1]; }
};

std::optional<Member> FindMember(const GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if (node.op != "MatMul" || !node.domain.empty()) return std::nullopt;
  Member member{.product = id, .weight = editor.Constant(node.inputs[1])};
  if (member.weight == nullptr || member.weight->shape().size() != 2 ||
      !IsFloating(member.weight->type()) || KnownShape(editor, node.outputs[0]) == nullptr ||
      KnownShape(editor, node.outputs[0])->empty()) {
    return std::nullopt;
  }
  const auto& readers = editor.Readers(node.outputs[0]);
  if (readers.size() != 1 || readers[0] == kGraphOutput) return member;
  const Node& sum = editor.node(readers[0]);
  if (sum.op != "Add" || !sum.domain.empty()) return member;
  const HostTensor* bias = editor.Constant(OtherInput(sum, node.outputs[0]));
  if (bias != nullptr && bias->shape() == Shape{member.columns()} &&
      bias->type() == member.weight->type()) {
    member.sum = readers[0];
    member.bias = bias;
  }
  return member;
}

// The tensors side by side along the last axis, each having `rows` rows.
HostTensor JoinColumns(const std::vector<const HostTensor*>& parts, int64_t rows, Shape shape) {
  HostTensor out(parts[0]->type(), std::move(shape));
  const size_t width = ElementByteSize(out.type());
  auto* at = out.mutable_data<std::byte>();
  for (int64_t row = 0; row < rows; ++row) {
    for (const HostTensor* part : parts) {
      const size_t bytes = static_cast<size_t>(part->element_count() / rows) * width;
      std::memcpy(at, part->bytes() + static_cast<size_t>(row) * bytes, bytes);
      at += bytes;
    }
  }
  return out;
}

void Merge(GraphEditor& editor, const std::vector<Member>& members) {
  const Member first = members[0];
  const Node product = editor.node(first.product);
  bool with_bias = true;
  int64_t columns = 0;
  std::vector<int64_t> parts;
  std::vector<const HostTensor*> weights;
  std::vector<const HostTensor*> biases;
  for (const Member& member : members) {
    with_bias = with_bias && member.bias != nullptr;
    parts.push_back(member.columns());
    columns += member.columns();
    weights.push_back(member.weight);
    biases.push_back(member.bias);
  }
  const int64_t rows = first.weight->shape()[0];
  HostTensor weight = JoinColumns(weights, rows, {rows, columns});
  std::optional<HostTensor> bias;
  if (with_bias) bias = JoinColumns(biases, 1, {columns});

  const DataType type = editor.value(product.outputs[0]).type;
  Shape shape = *editor.value(product.outputs[0]).shape;
  std::vector<Value> outputs;
  for (size_t i = 0; i < members.size(); ++i) {
    shape.back() = parts[i];
    outputs.push_back({.name = StrCat(editor.node(members[i].product).name, "/part"),
                       .type = type,
                       .shape = shape});
  }
  shape.back() = columns;
  const auto node = [&product](const char* op, std::initializer_list<ValueId> inputs) {
    return Node{.op = op,
                .domain = {},
                .name = product.name,
                .inputs = inputs,
                .outputs = {},
                .attributes = {}};
  };
  const ValueId joined = editor.AddConstant(StrCat(product.name, "/weight"), std::move(weight));
  ValueId y =
      editor.InsertBefore(first.product, node("MatMul", {product.inputs[0], joined}), type, shape);
  if (bias.has_value()) {
    const ValueId constant = editor.AddConstant(StrCat(product.name, "/bias"), *std::move(bias));
    y = editor.InsertBefore(first.product, node("Add", {y, constant}), type, shape);
  }
  const ValueId lengths =
      editor.AddConstant(StrCat(product.name, "/split"), HostTensor::Vector(parts));
  Node split = node("Split", {y, lengths});
  split.attributes["axis"] = int64_t{-1};
  const auto made = editor.InsertBefore(first.product, std::move(split), outputs);
  for (size_t i = 0; i < members.size(); ++i) {
    const NodeId last = with_bias ? members[i].sum : members[i].product;
    editor.ReplaceUses(editor.node(last).outputs[0], made[i]);
  }
}

void MergeIn(Graph& graph) {
  ForEachSubgraph(graph, MergeIn);
  GraphEditor editor(graph);
  // By the value they multiply, and the type and height of their weights.
  std::map<std::tuple<ValueId, DataType, int64_t>, std::vector<Member>> groups;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); ++id) {
    const auto member = FindMember(editor, id);
    if (!member.has_value() || editor.Constant(editor.node(id).inputs[0]) != nullptr) continue;
    const auto& readers =
        editor.Readers(editor.node(member->sum < 0 ? id : member->sum).outputs[0]);
    if (std::find(readers.begin(), readers.end(), kGraphOutput) != readers.end()) continue;
    groups[{editor.node(id).inputs[0], member->weight->type(), member->weight->shape()[0]}]
        .push_back(*member);
  }
  // Members point into values that merging moves: copy what they hold first.
  for (auto& [key, members] : groups) {
    if (members.size() < 2) continue;
    std::vector<HostTensor> kept;
    kept.reserve(2 * members.size());
    for (Member& member : members) {
      member.weight = &kept.emplace_back(*editor.Constant(editor.node(member.product).inputs[1]));
      if (member.sum < 0) continue;
      const Node& sum = editor.node(member.sum);
      member.bias = &kept.emplace_back(
          *editor.Constant(OtherInput(sum, editor.node(member.product).outputs[0])));
    }
    Merge(editor, members);
  }
  editor.Finish();
  RemoveDead(graph);
}

}  // namespace

absl::Status MergeProducts(Graph& graph) {
  MergeIn(graph);
  return absl::OkStatus();
}

}  // namespace nereid::engine
