#include "backends/cuda/ir/graph_editor.h"

#include <algorithm>

namespace nereid::engine {
namespace {

using GraphPointer = std::shared_ptr<const Graph>;

// Rewritings that undo each other would go on for ever.
constexpr int kMaxSweeps = 200;

class DeadRemover {
 public:
  explicit DeadRemover(Graph& graph) : graph_(graph), live_(graph.values.size(), false) {}

  void Run() {
    for (const ValueId id : graph_.inputs) Mark(id);
    for (const ValueId id : graph_.outputs) Mark(id);
    MarkNodes();
    Renumber();
  }

 private:
  bool IsLive(ValueId id) const { return id != kNoValue && live_[static_cast<size_t>(id)]; }
  void Mark(ValueId id) {
    if (id != kNoValue) live_[static_cast<size_t>(id)] = true;
  }

  void MarkNodes() {
    std::vector<Node> kept;
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      if (std::none_of(node->outputs.begin(), node->outputs.end(),
                       [this](ValueId id) { return IsLive(id); })) {
        continue;
      }
      for (ValueId& id : node->outputs) {
        if (!IsLive(id)) id = kNoValue;
      }
      for (const ValueId id : node->inputs) Mark(id);
      for (const auto& [name, attribute] : node->attributes) {
        const auto* subgraph = std::get_if<GraphPointer>(&attribute);
        if (subgraph == nullptr) continue;
        for (const auto& [outer, inner] : (*subgraph)->captures) Mark(outer);
      }
      kept.push_back(std::move(*node));
    }
    std::reverse(kept.begin(), kept.end());
    graph_.nodes = std::move(kept);
  }

  void Renumber() {
    std::erase_if(graph_.captures, [this](const auto& capture) { return !IsLive(capture.second); });
    std::vector<ValueId> renamed(graph_.values.size(), kNoValue);
    std::vector<Value> values;
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      if (!live_[i]) continue;
      renamed[i] = static_cast<ValueId>(values.size());
      values.push_back(std::move(graph_.values[i]));
    }
    graph_.values = std::move(values);
    const auto rename = [&renamed](ValueId id) {
      return id == kNoValue ? kNoValue : renamed[static_cast<size_t>(id)];
    };
    const auto rename_all = [&rename](auto& ids) {
      for (ValueId& id : ids) id = rename(id);
    };
    rename_all(graph_.inputs);
    rename_all(graph_.outputs);
    for (auto& [outer, inner] : graph_.captures) inner = rename(inner);
    for (Node& node : graph_.nodes) {
      rename_all(node.inputs);
      rename_all(node.outputs);
      RenameCaptures(node, rename);
    }
  }

  Graph& graph_;
  std::vector<bool> live_;
};

bool SweepOnce(Graph& graph, const std::function<void(GraphEditor&, NodeId)>& rewrite) {
  GraphEditor editor(graph);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); ++id) rewrite(editor, id);
  return editor.Finish();
}

}  // namespace

void RenameCaptures(Node& node, const std::function<ValueId(ValueId)>& rename) {
  for (auto& [name, attribute] : node.attributes) {
    auto* subgraph = std::get_if<GraphPointer>(&attribute);
    if (subgraph == nullptr || (*subgraph)->captures.empty()) continue;
    auto copy = std::make_shared<Graph>(**subgraph);
    for (auto& [outer, inner] : copy->captures) outer = rename(outer);
    *subgraph = std::move(copy);
  }
}

void ForEachSubgraph(Graph& graph, const std::function<void(Graph&)>& change) {
  for (Node& node : graph.nodes) {
    for (auto& [name, attribute] : node.attributes) {
      auto* subgraph = std::get_if<GraphPointer>(&attribute);
      if (subgraph == nullptr) continue;
      auto copy = std::make_shared<Graph>(**subgraph);
      change(*copy);
      *subgraph = std::move(copy);
    }
  }
}

void RemoveDead(Graph& graph) {
  ForEachSubgraph(graph, RemoveDead);
  DeadRemover(graph).Run();
}

GraphEditor::GraphEditor(Graph& graph)
    : graph_(graph), producers_(graph.Producers()), readers_(graph.Consumers()) {}

NodeId GraphEditor::ProducerId(ValueId id) const {
  return id == kNoValue ? -1 : producers_[static_cast<size_t>(id)];
}

const Node* GraphEditor::Producer(ValueId id) const {
  const NodeId producer = ProducerId(id);
  return producer < 0 ? nullptr : &node(producer);
}

const Node* GraphEditor::Producer(ValueId id, std::string_view op) const {
  const Node* producer = Producer(id);
  if (producer == nullptr || producer->op != op || !producer->domain.empty()) return nullptr;
  return producer;
}

const HostTensor* GraphEditor::Constant(ValueId id) const {
  if (id == kNoValue || !value(id).is_constant()) return nullptr;
  return &*value(id).constant;
}

ValueId GraphEditor::AddConstant(std::string name, HostTensor tensor) {
  producers_.push_back(-1);
  readers_.emplace_back();
  return graph_.AddConstant(std::move(name), std::move(tensor));
}

ValueId GraphEditor::InsertBefore(NodeId before, Node node, DataType type,
                                  std::optional<Shape> shape) {
  const Value output{.name = node.name, .type = type, .shape = std::move(shape)};
  return InsertBefore(before, std::move(node), absl::MakeConstSpan(&output, 1)).front();
}

std::vector<ValueId> GraphEditor::InsertBefore(NodeId before, Node node,
                                               absl::Span<const Value> outputs) {
  std::vector<ValueId> made;
  for (const Value& output : outputs) {
    made.push_back(graph_.AddValue(output));
    producers_.push_back(-1);
    readers_.emplace_back();
  }
  node.outputs.assign(made.begin(), made.end());
  for (const ValueId input : node.inputs) {
    if (input != kNoValue) readers_[static_cast<size_t>(input)].push_back(before);
  }
  inserted_.emplace_back(before, std::move(node));
  changed_ = true;
  return made;
}

void GraphEditor::Replace(NodeId id, Node replacement) {
  Node& node = graph_.nodes[static_cast<size_t>(id)];
  replacement.outputs = node.outputs;
  for (const ValueId input : replacement.inputs) {
    if (input != kNoValue) readers_[static_cast<size_t>(input)].push_back(id);
  }
  node = std::move(replacement);
  changed_ = true;
}

bool GraphEditor::TakeOutputs(ValueId from, ValueId to) {
  auto& outputs = graph_.outputs;
  const auto times = std::count(outputs.begin(), outputs.end(), from);
  if (times == 0) return true;
  if (times > 1 || producers_[static_cast<size_t>(to)] < 0 ||
      std::count(outputs.begin(), outputs.end(), to) > 0) {
    return false;
  }
  std::replace(outputs.begin(), outputs.end(), from, to);
  std::swap(graph_.value(from).name, graph_.value(to).name);
  return true;
}

bool GraphEditor::ReplaceUses(ValueId from, ValueId to) {
  if (from == to) return true;
  changed_ = true;
  auto& from_readers = readers_[static_cast<size_t>(from)];
  auto& to_readers = readers_[static_cast<size_t>(to)];
  const auto rename = [from, to](ValueId id) { return id == from ? to : id; };
  for (const NodeId reader : from_readers) {
    if (reader == kGraphOutput) continue;
    Node& node = graph_.nodes[static_cast<size_t>(reader)];
    for (ValueId& input : node.inputs) input = rename(input);
    RenameCaptures(node, rename);
    to_readers.push_back(reader);
  }
  for (auto& [before, node] : inserted_) {
    for (ValueId& input : node.inputs) input = rename(input);
  }
  const bool outputs_too = TakeOutputs(from, to);
  const bool was_output =
      std::find(from_readers.begin(), from_readers.end(), kGraphOutput) != from_readers.end();
  from_readers.clear();
  if (was_output) (outputs_too ? to_readers : from_readers).push_back(kGraphOutput);
  return outputs_too;
}

bool GraphEditor::Finish() {
  if (inserted_.empty()) return changed_;
  std::stable_sort(inserted_.begin(), inserted_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Node> nodes;
  nodes.reserve(graph_.nodes.size() + inserted_.size());
  auto next = inserted_.begin();
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    for (; next != inserted_.end() && next->first == static_cast<NodeId>(i); ++next) {
      nodes.push_back(std::move(next->second));
    }
    nodes.push_back(std::move(graph_.nodes[i]));
  }
  graph_.nodes = std::move(nodes);
  inserted_.clear();
  return changed_;
}

void RewriteNodes(Graph& graph, const std::function<void(GraphEditor&, NodeId)>& rewrite) {
  ForEachSubgraph(graph, [&rewrite](Graph& subgraph) { RewriteNodes(subgraph, rewrite); });
  for (int i = 0; i < kMaxSweeps && SweepOnce(graph, rewrite); ++i) RemoveDead(graph);
}

}  // namespace nereid::engine
