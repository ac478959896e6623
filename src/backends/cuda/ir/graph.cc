#include "backends/cuda/ir/graph.h"

#include "common/strings.h"

namespace nereid::engine {
namespace {

template <typename T>
const T* Find(const Node& node, std::string_view name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? nullptr : std::get_if<T>(&found->second);
}

// Calls `visit(value of this graph)` for all that the node reads, subgraphs included.
template <typename Visit>
void ForEachRead(const Node& node, Visit visit) {
  for (const ValueId input : node.inputs) {
    if (input != kNoValue) visit(input);
  }
  for (const auto& [name, attribute] : node.attributes) {
    const auto* subgraph = std::get_if<std::shared_ptr<const Graph>>(&attribute);
    if (subgraph == nullptr || *subgraph == nullptr) continue;
    for (const auto& [outer, inner] : (*subgraph)->captures) visit(outer);
  }
}

// What Verify knows of each value so far.
class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph), defined_(graph.values.size(), false) {}

  absl::Status Run() {
    for (const ValueId id : graph_.inputs) {
      if (!Define(id)) return Broken("an input is listed twice or does not exist");
    }
    for (const auto& [outer, inner] : graph_.captures) {
      if (!Define(inner)) return Broken("a capture is listed twice or does not exist");
    }
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      if (!graph_.values[i].is_constant()) continue;
      if (defined_[i]) return Broken(StrCat("input '", graph_.values[i].name, "' is a constant"));
      defined_[i] = true;
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      absl::Status status = CheckNode(graph_.nodes[i]);
      if (!status.ok()) {
        return absl::InternalError(
            StrCat(Describe(graph_.nodes[i]), " (node ", i, "): ", Message(status)));
      }
    }
    for (const ValueId id : graph_.outputs) {
      if (!Defined(id)) return Broken("an output has no value");
    }
    return CheckDeclarations();
  }

 private:
  absl::Status Broken(std::string_view what) const {
    return absl::InternalError(StrCat("graph '", graph_.name, "': ", what));
  }

  bool Exists(ValueId id) const {
    return id >= 0 && static_cast<size_t>(id) < graph_.values.size();
  }
  bool Defined(ValueId id) const { return Exists(id) && defined_[static_cast<size_t>(id)]; }
  bool Define(ValueId id) {
    if (!Exists(id) || defined_[static_cast<size_t>(id)]) return false;
    return defined_[static_cast<size_t>(id)] = true;
  }

  absl::Status CheckNode(const Node& node) {
    if (node.op.empty()) return absl::InternalError("it has no operator");
    bool reads_fine = true;
    ForEachRead(node, [&](ValueId id) { reads_fine = reads_fine && Defined(id); });
    if (!reads_fine) return absl::InternalError("it reads a value that is not made before it");
    for (const auto& [name, attribute] : node.attributes) {
      const auto* subgraph = std::get_if<std::shared_ptr<const Graph>>(&attribute);
      if (subgraph == nullptr) continue;
      if (*subgraph == nullptr) return absl::InternalError(StrCat("subgraph ", name, " is null"));
      if (absl::Status status = (*subgraph)->Verify(); !status.ok()) return status;
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue && !Define(id)) {
        return absl::InternalError("it makes a value that exists already, or none");
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckDeclarations() const {
    if (!graph_.input_dims.empty() && graph_.input_dims.size() != graph_.inputs.size()) {
      return Broken("declared extents do not match the inputs");
    }
    if (!graph_.output_dims.empty() && graph_.output_dims.size() != graph_.outputs.size()) {
      return Broken("declared extents do not match the outputs");
    }
    for (const Value& value : graph_.values) {
      if (!value.is_constant()) continue;
      if (value.type != value.constant->type() || value.shape != value.constant->shape()) {
        return Broken(StrCat("constant '", value.name, "' differs from its type or shape"));
      }
    }
    return absl::OkStatus();
  }

  const Graph& graph_;
  std::vector<bool> defined_;
};

}  // namespace

int64_t Node::Int(std::string_view attribute, int64_t fallback) const {
  const auto* value = Find<int64_t>(*this, attribute);
  return value == nullptr ? fallback : *value;
}

float Node::Float(std::string_view attribute, float fallback) const {
  const auto* value = Find<float>(*this, attribute);
  return value == nullptr ? fallback : *value;
}

std::string Node::String(std::string_view attribute, std::string_view fallback) const {
  const auto* value = Find<std::string>(*this, attribute);
  return value == nullptr ? std::string(fallback) : *value;
}

std::vector<int64_t> Node::Ints(std::string_view attribute) const {
  const auto* values = Find<std::vector<int64_t>>(*this, attribute);
  return values == nullptr ? std::vector<int64_t>{} : *values;
}

const Graph* Node::Subgraph(std::string_view attribute) const {
  const auto* graph = Find<std::shared_ptr<const Graph>>(*this, attribute);
  return graph == nullptr ? nullptr : graph->get();
}

ValueId Graph::AddValue(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::AddConstant(std::string constant_name, HostTensor tensor) {
  Value value{.name = std::move(constant_name), .type = tensor.type(), .shape = tensor.shape()};
  value.constant = std::move(tensor);
  return AddValue(std::move(value));
}

std::vector<NodeId> Graph::Producers() const {
  std::vector<NodeId> producers(values.size(), -1);
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const ValueId id : nodes[i].outputs) {
      if (id != kNoValue) producers[static_cast<size_t>(id)] = static_cast<NodeId>(i);
    }
  }
  return producers;
}

std::vector<std::vector<NodeId>> Graph::Consumers() const {
  std::vector<std::vector<NodeId>> consumers(values.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    ForEachRead(nodes[i], [&](ValueId id) {
      consumers[static_cast<size_t>(id)].push_back(static_cast<NodeId>(i));
    });
  }
  for (const ValueId id : outputs) {
    if (id != kNoValue) consumers[static_cast<size_t>(id)].push_back(kGraphOutput);
  }
  return consumers;
}

absl::Status Graph::Verify() const { return Verifier(*this).Run(); }

std::string Describe(const Node& node) {
  const std::string op = node.domain.empty() ? node.op : StrCat(node.domain, ".", node.op);
  if (!node.name.empty()) return StrCat(op, " '", node.name, "'");
  return op;
}

}  // namespace nereid::engine
