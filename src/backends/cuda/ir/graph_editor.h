#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Removes nodes whose outputs nothing reads (operators have no side effects), captures and values
// that nothing names, and the unread outputs of the nodes that stay; in subgraphs, too. Inputs and
// outputs stay. Values get new numbers.
void RemoveDead(Graph& graph);

// Lets `change` work on a copy of each subgraph of the graph's nodes, and puts the copy in place.
void ForEachSubgraph(Graph& graph, const std::function<void(Graph&)>& change);

// Replaces the outer values that the subgraphs of `node` capture by rename(value).
void RenameCaptures(Node& node, const std::function<ValueId(ValueId)>& rename);

// Edits one graph. What it knows of producers and readers is that of the moment it was made, plus
// its own edits: it may see a use that is gone, but never misses one. Edits that need another order
// of nodes take effect in Finish. The graph must outlive it and not be edited besides.
class GraphEditor {
 public:
  explicit GraphEditor(Graph& graph);

  const Graph& graph() const { return graph_; }
  const Node& node(NodeId id) const { return graph_.nodes[static_cast<size_t>(id)]; }
  const Value& value(ValueId id) const { return graph_.value(id); }

  // The node that makes a value; nullptr for inputs, constants, captures, kNoValue.
  const Node* Producer(ValueId id) const;
  // The same, when it has that operator (of ONNX's domain).
  const Node* Producer(ValueId id, std::string_view op) const;
  NodeId ProducerId(ValueId id) const;
  // How often nodes and the graph's outputs read a value.
  size_t UseCount(ValueId id) const { return readers_[static_cast<size_t>(id)].size(); }
  bool HasOneUse(ValueId id) const { return UseCount(id) == 1; }
  // The nodes that read it, kGraphOutput for an output.
  const std::vector<NodeId>& Readers(ValueId id) const { return readers_[static_cast<size_t>(id)]; }
  // The constant, or nullptr.
  const HostTensor* Constant(ValueId id) const;

  ValueId AddConstant(std::string name, HostTensor tensor);
  // Puts a node with one new output before node `before`; returns the output.
  ValueId InsertBefore(NodeId before, Node node, DataType type, std::optional<Shape> shape);
  // The same with several outputs, of these names, types and shapes.
  std::vector<ValueId> InsertBefore(NodeId before, Node node, absl::Span<const Value> outputs);
  // Puts `replacement` in the place of node `id`, making the same outputs.
  void Replace(NodeId id, Node replacement);
  // Lets all who read `from` read `to`, which must be made before them. An output of the graph
  // keeps its name; it keeps reading `from`, and the result is false, when `to` cannot take that
  // name.
  bool ReplaceUses(ValueId from, ValueId to);

  // Brings the inserted nodes in; the editor is of no use afterwards. Whether anything was edited.
  bool Finish();

 private:
  bool TakeOutputs(ValueId from, ValueId to);

  Graph& graph_;
  std::vector<NodeId> producers_;
  std::vector<std::vector<NodeId>> readers_;
  std::vector<std::pair<NodeId, Node>> inserted_;
  bool changed_ = false;
};

// Calls rewrite(editor, node) for each node, in order, of the graph and of its subgraphs, and
// removes what is dead, until nothing changes any more.
void RewriteNodes(Graph& graph, const std::function<void(GraphEditor&, NodeId)>& rewrite);

}  // namespace nereid::engine
