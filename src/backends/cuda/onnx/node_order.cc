#include "backends/cuda/onnx/node_order.h"

#include <functional>
#include <numeric>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "common/strings.h"

namespace nereid::engine {
namespace {

using Makers = std::unordered_map<std::string_view, size_t>;

using Names = std::unordered_set<std::string_view>;

Names LocalNames(const GraphProto& graph) {
  Names names;
  for (const ValueInfoProto& input : graph.input) names.insert(input.name);
  for (const TensorProto& tensor : graph.initializer) names.insert(tensor.name);
  for (const SparseTensorProto& tensor : graph.sparse_initializer) {
    names.insert(tensor.values.name);
  }
  for (const NodeProto& node : graph.node) names.insert(node.output.begin(), node.output.end());
  return names;
}

// Calls `visit` with every name that the node reads from outside of itself.
template <typename Visit>
void ForEachName(const NodeProto& node, const Visit& visit) {
  for (const std::string_view name : node.input) {
    if (!name.empty()) visit(name);
  }
  for (const AttributeProto& attribute : node.attribute) {
    if (attribute.g == nullptr) continue;
    const Names local = LocalNames(*attribute.g);
    const std::function<void(std::string_view)> visit_free = [&](std::string_view name) {
      if (!local.contains(name)) visit(name);
    };
    for (const NodeProto& inner : attribute.g->node) ForEachName(inner, visit_free);
    for (const ValueInfoProto& output : attribute.g->output) visit_free(output.name);
  }
}

bool InOrder(const std::vector<NodeProto>& nodes, const Makers& makers) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    bool fine = true;
    ForEachName(nodes[i], [&](std::string_view name) {
      const auto maker = makers.find(name);
      fine = fine && (maker == makers.end() || maker->second < i);
    });
    if (!fine) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<size_t>> OrderNodes(const std::vector<NodeProto>& nodes) {
  Makers makers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const std::string_view name : nodes[i].output) {
      if (!name.empty()) makers.emplace(name, i);
    }
  }
  std::vector<size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (InOrder(nodes, makers)) return order;

  std::vector<size_t> waits_for(nodes.size(), 0);
  std::vector<std::vector<size_t>> readers(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    ForEachName(nodes[i], [&](std::string_view name) {
      const auto maker = makers.find(name);
      if (maker == makers.end()) return;
      readers[maker->second].push_back(i);
      ++waits_for[i];
    });
  }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (waits_for[i] == 0) ready.push(i);
  }
  order.clear();
  for (; !ready.empty();) {
    const size_t node = ready.top();
    ready.pop();
    order.push_back(node);
    for (const size_t reader : readers[node]) {
      if (--waits_for[reader] == 0) ready.push(reader);
    }
  }
  if (order.size() == nodes.size()) return order;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (waits_for[i] == 0) continue;
    return absl::InvalidArgumentError(
        StrCat("node '", nodes[i].name, "' (", nodes[i].op_type, ") is part of a cycle"));
  }
  return order;
}

}  // namespace nereid::engine
