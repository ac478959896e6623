#include "backends/cuda/passes/specialize.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>
#include <utility>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/infer_rules.h"
#include "backends/cuda/passes/kernel_window.h"
#include "backends/cuda/passes/match.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using GraphPointer = std::shared_ptr<const Graph>;

bool HasSubgraph(const Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
    return std::holds_alternative<GraphPointer>(attribute.second);
  });
}

void MakeConstant(Value& value, HostTensor tensor) {
  value.type = tensor.type();
  value.shape = tensor.shape();
  value.constant = std::move(tensor);
}

}  // namespace

absl::StatusOr<Graph> Specializer::Run(const Graph& graph, absl::Span<const Value> inputs) {
  Graph to;
  to.name = graph.name;
  to.opset = graph.opset;
  to.input_dims = graph.input_dims;
  to.output_dims = graph.output_dims;
  Names names(graph.values.size(), kNoValue);
  if (inputs.size() != graph.inputs.size()) {
    return absl::InvalidArgumentError(
        StrCat("graph '", graph.name, "' has ", graph.inputs.size(), " inputs"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = to.AddValue(inputs[i]);
    names[static_cast<size_t>(graph.inputs[i])] = id;
    to.inputs.push_back(id);
  }
  NEREID_RETURN_IF_ERROR(CopyNodes(graph, names, "", to));
  NEREID_RETURN_IF_ERROR(BindOutputs(graph, names, to));
  RemoveDead(to);
  return to;
}

ValueId Specializer::Find(const Graph& from, ValueId id, Names& names, Graph& to) {
  if (id == kNoValue) return kNoValue;
  ValueId& found = names[static_cast<size_t>(id)];
  if (found == kNoValue && from.value(id).is_constant()) found = to.AddValue(from.value(id));
  return found;
}

absl::Status Specializer::CopyNodes(const Graph& from, Names& names, const std::string& prefix,
                                    Graph& to) {
  for (const Node& node : from.nodes) {
    NEREID_RETURN_IF_ERROR(CopyNode(from, node, names, prefix, to));
  }
  return absl::OkStatus();
}

absl::Status Specializer::CopyNode(const Graph& from, const Node& node, Names& names,
                                   const std::string& prefix, Graph& to) {
  if (++copied_ > options_.max_nodes) {
    return absl::ResourceExhaustedError(
        StrCat("the graph would have more than ", options_.max_nodes, " nodes"));
  }
  if (options_.inline_control && node.domain.empty()) {
    if (node.op == "If") {
      NEREID_ASSIGN_OR_RETURN(const bool done, InlineIf(from, node, names, prefix, to));
      if (done) return absl::OkStatus();
    } else if (node.op == "Loop") {
      NEREID_ASSIGN_OR_RETURN(const bool done, UnrollLoop(from, node, names, prefix, to));
      if (done) return absl::OkStatus();
    } else {
      NEREID_ASSIGN_OR_RETURN(const bool done, ReplaceSequence(from, node, names, prefix, to));
      if (done) return absl::OkStatus();
    }
  }
  Node copy = node;
  copy.name = StrCat(prefix, node.name);
  for (ValueId& id : copy.inputs) id = Find(from, id, names, to);
  for (size_t i = 0; i < copy.outputs.size(); ++i) {
    if (!node.HasOutput(i)) continue;
    Value value = from.value(node.outputs[i]);
    value.name = StrCat(prefix, value.name);
    if (HasShapeRule(node) || HasSubgraph(node)) value.shape.reset();
    copy.outputs[i] = to.AddValue(std::move(value));
    names[static_cast<size_t>(node.outputs[i])] = copy.outputs[i];
  }
  if (HasSubgraph(copy)) {
    NEREID_RETURN_IF_ERROR(CopySubgraphs(from, names, copy, to));
    if (ReadsSequence(copy)) {
      return absl::UnimplementedError(StrCat(Describe(copy), " works on a sequence"));
    }
  } else {
    NEREID_RETURN_IF_ERROR(MakePaddingExplicit(to, copy));
    NEREID_RETURN_IF_ERROR(InferNode(to, copy));
    if (auto folded = Fold(to, copy, options_.fold); folded.has_value()) {
      for (size_t i = 0; i < copy.outputs.size(); ++i) {
        if (copy.HasOutput(i)) MakeConstant(to.value(copy.outputs[i]), std::move((*folded)[i]));
      }
      return absl::OkStatus();
    }
  }
  to.nodes.push_back(std::move(copy));
  return absl::OkStatus();
}

// The outputs keep their names. Where one has turned out to be an input or another output, an
// Identity makes it.
absl::Status Specializer::BindOutputs(const Graph& from, Names& names, Graph& to) {
  std::unordered_set<ValueId> taken(to.inputs.begin(), to.inputs.end());
  for (const auto& [outer, inner] : from.captures) {
    taken.insert(names[static_cast<size_t>(inner)]);
  }
  for (const ValueId output : from.outputs) {
    const ValueId found = Find(from, output, names, to);
    if (found == kNoValue) return absl::InternalError("an output has no value");
    if (sequences_.contains(found)) {
      return absl::UnimplementedError(
          StrCat("output '", from.value(output).name, "' is a sequence, which is not supported"));
    }
    Value named = to.value(found);
    named.name = from.value(output).name;
    ValueId id = found;
    if (named.is_constant()) {
      id = to.AddValue(std::move(named));
    } else if (!taken.insert(found).second) {
      id = to.AddValue(std::move(named));
      to.nodes.push_back(Node{.op = "Identity",
                              .domain = {},
                              .name = to.value(id).name,
                              .inputs = {found},
                              .outputs = {id},
                              .attributes = {}});
    } else {
      to.value(id).name = named.name;
    }
    to.outputs.push_back(id);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ValueId>> Specializer::CopyBody(const Graph& from, const Graph& body,
                                                           absl::Span<const ValueId> inputs,
                                                           Names& names, const std::string& prefix,
                                                           Graph& to) {
  if (inputs.size() != body.inputs.size()) {
    return absl::InvalidArgumentError(
        StrCat("subgraph '", body.name, "' does not have ", inputs.size(), " inputs"));
  }
  Names inner(body.values.size(), kNoValue);
  for (size_t i = 0; i < inputs.size(); ++i) {
    inner[static_cast<size_t>(body.inputs[i])] = inputs[i];
  }
  for (const auto& [outer, id] : body.captures) {
    inner[static_cast<size_t>(id)] = Find(from, outer, names, to);
  }
  NEREID_RETURN_IF_ERROR(CopyNodes(body, inner, prefix, to));
  std::vector<ValueId> outputs;
  for (const ValueId id : body.outputs) outputs.push_back(Find(body, id, inner, to));
  return outputs;
}

absl::StatusOr<bool> Specializer::InlineIf(const Graph& from, const Node& node, Names& names,
                                           const std::string& prefix, Graph& to) {
  if (!node.HasInput(0))
    return absl::InvalidArgumentError(StrCat(Describe(node), ": no condition"));
  const ValueId condition = Find(from, node.inputs[0], names, to);
  const Value& value = to.value(condition);
  if (!value.is_constant() || !value.constant->is_scalar_like()) return false;
  const Graph* branch =
      node.Subgraph(value.constant->AsInt64(0) != 0 ? "then_branch" : "else_branch");
  if (branch == nullptr || branch->outputs.size() < node.outputs.size()) {
    return absl::InvalidArgumentError(StrCat(Describe(node), ": a branch is missing or too small"));
  }
  NEREID_ASSIGN_OR_RETURN(const auto outputs, CopyBody(from, *branch, {}, names, prefix, to));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.HasOutput(i)) names[static_cast<size_t>(node.outputs[i])] = outputs[i];
  }
  return true;
}

// (trips?, condition?, carried...) with body (turn, condition, carried...) → (condition,
// carried..., scanned...)
absl::StatusOr<bool> Specializer::UnrollLoop(const Graph& from, const Node& node, Names& names,
                                             const std::string& prefix, Graph& to) {
  const Graph* body = node.Subgraph("body");
  if (body == nullptr || node.inputs.size() < 2 || !node.HasInput(0)) return false;
  const Value& trips = to.value(Find(from, node.inputs[0], names, to));
  if (!trips.is_constant() || !trips.constant->is_scalar_like()) return false;
  int64_t turns = std::max<int64_t>(0, trips.constant->AsInt64(0));
  if (node.HasInput(1)) {
    const Value& condition = to.value(Find(from, node.inputs[1], names, to));
    if (!condition.is_constant() || !condition.constant->is_scalar_like()) return false;
    if (condition.constant->AsInt64(0) == 0) turns = 0;
  }
  const size_t carried_count = node.inputs.size() - 2;
  if (turns > options_.max_unrolled_turns || body->inputs.size() != node.inputs.size() ||
      body->outputs.size() < 1 + carried_count || node.outputs.size() > body->outputs.size() - 1) {
    return false;
  }
  const size_t scanned_count = body->outputs.size() - 1 - carried_count;
  if (turns == 0 && scanned_count > 0) return false;

  const size_t nodes_before = to.nodes.size();
  std::vector<ValueId> carried;
  for (size_t i = 2; i < node.inputs.size(); ++i) {
    if (!node.HasInput(i)) {
      return absl::InvalidArgumentError(StrCat(Describe(node), ": a carried value is missing"));
    }
    carried.push_back(Find(from, node.inputs[i], names, to));
  }
  std::vector<std::vector<ValueId>> scanned(scanned_count);
  ValueId condition =
      to.AddConstant("condition", HostTensor::Of<uint8_t>(DataType::kBool, {}, {1}));
  for (int64_t turn = 0; turn < turns; ++turn) {
    std::vector<ValueId> inputs{to.AddConstant("turn", HostTensor::Scalar(turn)), condition};
    inputs.insert(inputs.end(), carried.begin(), carried.end());
    NEREID_ASSIGN_OR_RETURN(
        const auto outputs,
        CopyBody(from, *body, inputs, names, StrCat(prefix, node.name, "/", turn, "/"), to));
    condition = outputs[0];
    carried.assign(outputs.begin() + 1,
                   outputs.begin() + 1 + static_cast<std::ptrdiff_t>(carried_count));
    for (size_t i = 0; i < scanned_count; ++i) {
      scanned[i].push_back(outputs[1 + carried_count + i]);
    }
    const Value& goes_on = to.value(condition);
    if (!goes_on.is_constant() || !goes_on.constant->is_scalar_like()) {
      to.nodes.resize(nodes_before);  // how often it runs depends on data
      return false;
    }
    if (goes_on.constant->AsInt64(0) == 0) break;
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.HasOutput(i)) continue;
    ValueId& name = names[static_cast<size_t>(node.outputs[i])];
    if (i < carried_count) {
      name = carried[i];
      continue;
    }
    // The copy below reads `parts`, a graph of its own whose values are those of `to`.
    Graph parts;
    parts.values.resize(to.values.size());
    Node join{.op = "Concat",
              .domain = {},
              .name = node.name,
              .inputs = {},
              .outputs = {},
              .attributes = {{"axis", int64_t{0}}}};
    Names same(to.values.size());
    for (size_t v = 0; v < same.size(); ++v) same[v] = static_cast<ValueId>(v);
    const auto add = [&](Node made) -> absl::StatusOr<ValueId> {
      const ValueId output = parts.AddValue({.name = StrCat(node.name, "/scanned")});
      same.resize(parts.values.size(), kNoValue);
      made.outputs = {output};
      NEREID_RETURN_IF_ERROR(CopyNode(parts, made, same, prefix, to));
      return output;
    };
    const ValueId axis = parts.AddConstant("axis", HostTensor::Vector({0}));
    same.push_back(kNoValue);
    for (const ValueId part : scanned[i - carried_count]) {
      NEREID_ASSIGN_OR_RETURN(const ValueId row, add(Node{.op = "Unsqueeze",
                                                          .domain = {},
                                                          .name = node.name,
                                                          .inputs = {part, axis},
                                                          .outputs = {},
                                                          .attributes = {}}));
      join.inputs.push_back(row);
    }
    NEREID_ASSIGN_OR_RETURN(const ValueId joined, add(std::move(join)));
    name = same[static_cast<size_t>(joined)];
  }
  return true;
}

absl::StatusOr<Graph> Specializer::CopySubgraph(const Graph& body, absl::Span<const Value> inputs,
                                                const Graph& to) {
  const auto outer = std::exchange(sequences_, {});
  absl::StatusOr<Graph> copy = CopySubgraphAlone(body, inputs, to);
  sequences_ = outer;
  return copy;
}

absl::StatusOr<Graph> Specializer::CopySubgraphAlone(const Graph& body,
                                                     absl::Span<const Value> inputs,
                                                     const Graph& to) {
  // `body` captures values of `to`. What is constant there becomes a constant here.
  Graph known = body;
  std::erase_if(known.captures, [&](const auto& capture) {
    Value& inner = known.value(capture.second);
    const Value& outer = to.value(capture.first);
    inner.type = outer.type;
    inner.shape = outer.shape;
    inner.constant = outer.constant;
    return outer.is_constant();
  });
  Graph copy;
  copy.name = known.name;
  copy.opset = known.opset;
  copy.input_dims = known.input_dims;
  copy.output_dims = known.output_dims;
  Names names(known.values.size(), kNoValue);
  if (inputs.size() != known.inputs.size()) {
    return absl::InvalidArgumentError(
        StrCat("subgraph '", body.name, "' does not have ", inputs.size(), " inputs"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    Value input = inputs[i];
    input.name = known.value(known.inputs[i]).name;
    input.constant.reset();
    names[static_cast<size_t>(known.inputs[i])] = copy.AddValue(std::move(input));
    copy.inputs.push_back(names[static_cast<size_t>(known.inputs[i])]);
  }
  for (const auto& [outer, inner] : known.captures) {
    const ValueId id = copy.AddValue(known.value(inner));
    names[static_cast<size_t>(inner)] = id;
    copy.captures.emplace_back(outer, id);
  }
  NEREID_RETURN_IF_ERROR(CopyNodes(known, names, "", copy));
  for (const ValueId output : known.outputs) {
    copy.outputs.push_back(Find(known, output, names, copy));
  }
  RemoveDead(copy);
  return copy;
}

absl::Status Specializer::CopySubgraphs(const Graph& from, Names& names, Node& node, Graph& to) {
  RenameCaptures(node, [&](ValueId id) { return Find(from, id, names, to); });
  absl::Status status = absl::UnimplementedError("the operator is not supported");
  if (node.op == "If") status = CopyIf(node, to);
  if (node.op == "Loop") status = CopyLoop(node, to);
  if (node.op == "Scan") status = CopyScan(node, to);
  if (status.ok()) return status;
  return absl::Status(status.code(), StrCat(Describe(node), ": ", Message(status)));
}

namespace {

// What is true of a value that is either of these.
void Join(const Value& other, Value& value) {
  if (value.type != other.type) value.type = DataType::kInvalid;
  if (!value.shape.has_value() || !other.shape.has_value() ||
      value.shape->size() != other.shape->size()) {
    value.shape.reset();
    return;
  }
  for (size_t i = 0; i < value.shape->size(); ++i) {
    if ((*value.shape)[i] != (*other.shape)[i]) (*value.shape)[i] = -1;
  }
}

Value TypeOnly(const Value& value) {
  return {.name = value.name, .type = value.type, .shape = value.shape};
}

void SetOutput(Graph& graph, const Node& node, size_t i, const Value& type) {
  if (!node.HasOutput(i)) return;
  Value& output = graph.value(node.outputs[i]);
  output.type = type.type;
  output.shape = type.shape;
}

// How often a Loop runs; -1: it depends on data.
int64_t TurnsOf(const Graph& to, const Node& node, const Graph& body) {
  if (!node.HasInput(0)) return -1;
  const Value& trips = to.value(node.inputs[0]);
  if (!trips.is_constant() || !trips.constant->is_scalar_like()) return -1;
  if (node.HasInput(1)) {
    const Value& condition = to.value(node.inputs[1]);
    if (!condition.is_constant() || !condition.constant->is_scalar_like()) return -1;
    if (condition.constant->AsInt64(0) == 0) return 0;
  }
  // The body hands on the condition that it is given, or a constant one.
  ValueId goes_on = body.outputs[0];
  const std::vector<NodeId> producers = body.Producers();
  for (;;) {
    const Value& value = body.value(goes_on);
    if (value.is_constant() && value.constant->is_scalar_like() &&
        value.constant->AsInt64(0) != 0) {
      break;
    }
    if (goes_on == body.inputs[1]) break;
    const NodeId producer = producers[static_cast<size_t>(goes_on)];
    if (producer < 0) return -1;
    const Node& made = body.nodes[static_cast<size_t>(producer)];
    if (made.op != "Identity" || !made.domain.empty()) return -1;
    goes_on = made.inputs[0];
  }
  return std::max<int64_t>(0, trips.constant->AsInt64(0));
}

Value WithLeading(const Value& value, int64_t extent, size_t axis) {
  Value out = TypeOnly(value);
  if (out.shape.has_value() && axis <= out.shape->size()) {
    out.shape->insert(out.shape->begin() + static_cast<std::ptrdiff_t>(axis), extent);
  }
  return out;
}

// A branch that cannot be computed from what there is, so that a result that asks for it is NaN.
// Nothing where results are not floating, or large.
std::optional<Graph> Impossible(const std::string& name, absl::Span<const Value> outputs) {
  constexpr int64_t kMostElements = int64_t{1} << 20;
  Graph graph;
  graph.name = name;
  for (const Value& output : outputs) {
    const auto count = output.shape.has_value() && IsKnown(*output.shape)
                           ? MultiplyExtents(*output.shape)
                           : absl::StatusOr<int64_t>(-1);
    if (!IsFloating(output.type) || !count.ok() || *count < 0 || *count > kMostElements) {
      return std::nullopt;
    }
    graph.outputs.push_back(graph.AddConstant(
        output.name, MakeTensor(output.type, *output.shape, [](int64_t) { return NAN; })));
  }
  return graph;
}

}  // namespace

absl::Status Specializer::CopyIf(Node& node, Graph& to) {
  constexpr const char* kBranches[] = {"then_branch", "else_branch"};
  std::vector<absl::StatusOr<Graph>> copies;
  for (const char* const name : kBranches) {
    const Graph* branch = node.Subgraph(name);
    if (branch == nullptr || branch->outputs.size() < node.outputs.size()) {
      return absl::InvalidArgumentError("a branch is missing or too small");
    }
    copies.push_back(CopySubgraph(*branch, {}, to));
  }
  // One that does not fit the inputs cannot be what the condition chooses.
  for (size_t i = 0; i < 2; ++i) {
    const absl::StatusOr<Graph>& other = copies[1 - i];
    if (copies[i].ok()) continue;
    if (!other.ok() || copies[i].status().code() != absl::StatusCode::kInvalidArgument) {
      return copies[i].status();
    }
    std::vector<Value> like;
    for (const ValueId id : other->outputs) like.push_back(other->value(id));
    auto impossible = Impossible(node.Subgraph(kBranches[i])->name, like);
    if (!impossible.has_value()) return copies[i].status();
    copies[i] = *std::move(impossible);
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Value output = TypeOnly(copies[0]->value(copies[0]->outputs[i]));
    Join(copies[1]->value(copies[1]->outputs[i]), output);
    SetOutput(to, node, i, output);
  }
  for (size_t i = 0; i < 2; ++i) {
    node.attributes[kBranches[i]] = GraphPointer(std::make_shared<Graph>(*std::move(copies[i])));
  }
  return absl::OkStatus();
}

absl::Status Specializer::CopyLoop(Node& node, Graph& to) {
  const Graph* body = node.Subgraph("body");
  if (body == nullptr || node.inputs.size() < 2 || body->inputs.size() != node.inputs.size() ||
      body->outputs.size() + 1 < node.inputs.size() ||
      node.outputs.size() + 1 > body->outputs.size()) {
    return absl::InvalidArgumentError("the body does not fit");
  }
  const size_t carried = node.inputs.size() - 2;
  std::vector<Value> inputs{{.name = "", .type = DataType::kInt64, .shape = ScalarShape()},
                            {.name = "", .type = DataType::kBool, .shape = ScalarShape()}};
  for (size_t i = 0; i < carried; ++i) {
    if (!node.HasInput(i + 2)) return absl::InvalidArgumentError("a carried value is missing");
    inputs.push_back(TypeOnly(to.value(node.inputs[i + 2])));
  }
  // What one turn changes is not known in the next; each round knows less, so that it ends.
  for (;;) {
    NEREID_ASSIGN_OR_RETURN(Graph copy, CopySubgraph(*body, inputs, to));
    bool settled = true;
    for (size_t i = 0; i < carried; ++i) {
      const Value before = inputs[2 + i];
      Join(copy.value(copy.outputs[1 + i]), inputs[2 + i]);
      inputs[2 + i].type = before.type;
      settled = settled && before.shape == inputs[2 + i].shape;
    }
    if (!settled) continue;
    const int64_t turns = TurnsOf(to, node, copy);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const Value& output = copy.value(copy.outputs[1 + i]);
      SetOutput(to, node, i, i < carried ? inputs[2 + i] : WithLeading(output, turns, 0));
    }
    node.attributes["body"] = GraphPointer(std::make_shared<Graph>(std::move(copy)));
    return absl::OkStatus();
  }
}

absl::Status Specializer::CopyScan(Node& node, Graph& to) {
  const Graph* body = node.Subgraph("body");
  const int64_t scans = node.Int("num_scan_inputs", 0);
  if (body == nullptr || scans < 1 || scans > static_cast<int64_t>(node.inputs.size()) ||
      body->inputs.size() != node.inputs.size() || body->outputs.size() < node.outputs.size() ||
      body->outputs.size() + static_cast<size_t>(scans) < node.inputs.size()) {
    return absl::InvalidArgumentError("the body does not fit");
  }
  const size_t states = node.inputs.size() - static_cast<size_t>(scans);
  const std::vector<int64_t> in_axes = node.Ints("scan_input_axes");
  const std::vector<int64_t> out_axes = node.Ints("scan_output_axes");
  int64_t length = -1;
  std::vector<Value> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.HasInput(i)) return absl::InvalidArgumentError("an input is missing");
    Value input = TypeOnly(to.value(node.inputs[i]));
    if (i >= states && input.shape.has_value()) {
      const int64_t axis = i - states < in_axes.size() ? in_axes[i - states] : 0;
      NEREID_ASSIGN_OR_RETURN(const size_t at, NormalizeAxis(axis, input.shape->size()));
      length = std::max(length, (*input.shape)[at]);
      input.shape->erase(input.shape->begin() + static_cast<std::ptrdiff_t>(at));
    }
    inputs.push_back(std::move(input));
  }
  NEREID_ASSIGN_OR_RETURN(Graph copy, CopySubgraph(*body, inputs, to));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const Value& output = copy.value(copy.outputs[i]);
    if (i < states) {
      SetOutput(to, node, i, inputs[i]);
      continue;
    }
    const int64_t axis = i - states < out_axes.size() ? out_axes[i - states] : 0;
    size_t at = 0;
    if (output.shape.has_value()) {
      NEREID_ASSIGN_OR_RETURN(at, NormalizeAxis(axis, output.shape->size() + 1));
    }
    SetOutput(to, node, i, WithLeading(output, length, at));
  }
  node.attributes["body"] = GraphPointer(std::make_shared<Graph>(std::move(copy)));
  return absl::OkStatus();
}

}  // namespace nereid::engine
