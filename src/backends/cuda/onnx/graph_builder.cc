#include "backends/cuda/onnx/graph_builder.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/onnx/node_order.h"
#include "backends/cuda/onnx/normalizer.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using Opsets = std::map<std::string_view, int64_t>;

std::string_view CanonicalDomain(std::string_view domain) {
  return domain == "ai.onnx" ? std::string_view() : domain;
}

Opsets ReadOpsets(const std::vector<OperatorSetProto>& imports) {
  Opsets opsets;
  for (const auto& [domain, version] : imports) opsets[CanonicalDomain(domain)] = version;
  return opsets;
}

std::string FunctionKey(std::string_view domain, std::string_view name, std::string_view overload) {
  return StrCat(CanonicalDomain(domain), "\n", name, "\n", overload);
}

Shape ToShape(const std::vector<DeclaredDim>& dims) {
  Shape shape;
  for (const DeclaredDim& dim : dims) shape.push_back(dim.value);
  return shape;
}

// What the file says about a value. Hints only: InferShapes finds out what holds.
void ApplyInfo(const ValueInfoProto& info, Value& value) {
  if (!info.is_tensor) return;
  value.type = FromOnnxType(info.elem_type);
  if (info.dims.has_value()) value.shape = ToShape(*info.dims);
}

absl::Status AtNode(const absl::Status& status, const NodeProto& proto, const std::string& prefix) {
  if (status.ok() || status.message().find("node '") != absl::string_view::npos) return status;
  const std::string_view name =
      !proto.name.empty() || proto.output.empty() ? proto.name : proto.output[0];
  return absl::Status(status.code(),
                      StrCat("node '", prefix, name, "' (", proto.op_type, "): ", Message(status)));
}

}  // namespace

// The values that names mean in one graph or function body.
class GraphBuilder::Scope {
 public:
  // `outer` is the scope around a subgraph; its values are captured where they are named.
  Scope(Graph& graph, Scope* outer) : graph_(graph), outer_(outer) {}

  Graph& graph() { return graph_; }
  bool is_subgraph() const { return outer_ != nullptr; }

  // Absent when nothing has that name; kNoValue for an argument that the caller left out.
  std::optional<ValueId> Find(std::string_view name) {
    if (const auto found = names_.find(name); found != names_.end()) return found->second;
    if (outer_ == nullptr) return std::nullopt;
    const std::optional<ValueId> from = outer_->Find(name);
    if (!from.has_value() || *from == kNoValue) return from;
    Value value = outer_->graph_.value(*from);
    if (value.is_constant()) {  // constants need no capture: their bytes are shared
      names_.emplace(name, graph_.AddValue(std::move(value)));
      return names_.at(name);
    }
    const ValueId inner = graph_.AddValue(std::move(value));
    graph_.captures.emplace_back(*from, inner);
    names_.emplace(name, inner);
    return inner;
  }

  absl::Status Define(std::string_view name, ValueId id) {
    if (names_.emplace(name, id).second) return absl::OkStatus();
    return absl::InvalidArgumentError(StrCat("value '", name, "' is made twice"));
  }

  bool Defines(std::string_view name) const { return names_.contains(name); }

  void Remember(const ValueInfoProto& info) { infos_.emplace(info.name, &info); }
  const ValueInfoProto* Info(std::string_view name) const {
    const auto found = infos_.find(name);
    return found == infos_.end() ? nullptr : found->second;
  }

 private:
  Graph& graph_;
  Scope* const outer_;
  std::unordered_map<std::string_view, ValueId> names_;
  std::unordered_map<std::string_view, const ValueInfoProto*> infos_;
};

// Where a node stands: in which function call, at what depth.
struct GraphBuilder::Frame {
  Opsets opsets;
  std::map<std::string_view, const AttributeProto*> arguments;  // of the function call
  std::string prefix;                                           // of node names
  int depth = 0;
  bool in_function = false;
};

class GraphBuilder::Aliases final : public NodeSink {
 public:
  void Alias(ValueId output, ValueId value) override { aliases_.emplace_back(output, value); }
  ValueId Resolve(ValueId output) const {
    for (const auto& [from, to] : aliases_) {
      if (from == output) return to;
    }
    return output;
  }
  bool Removes(ValueId output) const { return Resolve(output) == kNoValue; }

 private:
  std::vector<std::pair<ValueId, ValueId>> aliases_;
};

GraphBuilder::GraphBuilder(const ModelProto& model, TensorReader& tensors, const Limits& limits)
    : model_(model), tensors_(tensors), limits_(limits), nodes_left_(limits.max_nodes) {
  for (const FunctionProto& function : model.functions) {
    functions_.emplace(FunctionKey(function.domain, function.name, function.overload), &function);
  }
}

GraphBuilder::~GraphBuilder() = default;

absl::StatusOr<std::shared_ptr<Graph>> GraphBuilder::Build() {
  if (!model_.graph.has_value()) return absl::InvalidArgumentError("the model has no graph");
  Frame frame{.opsets = ReadOpsets(model_.opset_import), .arguments = {}, .prefix = {}};
  auto graph = std::make_shared<Graph>();
  if (const auto found = frame.opsets.find(""); found != frame.opsets.end()) {
    graph->opset = static_cast<int>(std::clamp<int64_t>(found->second, 0, 1 << 20));
  }
  Scope scope(*graph, nullptr);
  NEREID_RETURN_IF_ERROR(BuildInto(*model_.graph, frame, scope));
  return graph;
}

absl::Status GraphBuilder::BuildInto(const GraphProto& proto, const Frame& frame, Scope& scope) {
  scope.graph().name = proto.name;
  for (const ValueInfoProto& info : proto.value_info) scope.Remember(info);
  for (const ValueInfoProto& info : proto.output) scope.Remember(info);
  NEREID_RETURN_IF_ERROR(AddInitializers(proto, scope));
  NEREID_RETURN_IF_ERROR(AddInputs(proto, scope));
  NEREID_RETURN_IF_ERROR(AddNodes(proto.node, frame, scope));
  return AddOutputs(proto, frame, scope);
}

absl::Status GraphBuilder::AddInitializers(const GraphProto& proto, Scope& scope) {
  for (const TensorProto& tensor : proto.initializer) {
    NEREID_ASSIGN_OR_RETURN(HostTensor constant, tensors_.Read(tensor));
    const ValueId id = scope.graph().AddConstant(std::string(tensor.name), std::move(constant));
    NEREID_RETURN_IF_ERROR(scope.Define(tensor.name, id));
  }
  for (const SparseTensorProto& sparse : proto.sparse_initializer) {
    NEREID_ASSIGN_OR_RETURN(HostTensor constant, tensors_.ReadSparse(sparse));
    const ValueId id =
        scope.graph().AddConstant(std::string(sparse.values.name), std::move(constant));
    NEREID_RETURN_IF_ERROR(scope.Define(sparse.values.name, id));
  }
  return absl::OkStatus();
}

absl::Status GraphBuilder::AddInputs(const GraphProto& proto, Scope& scope) {
  Graph& graph = scope.graph();
  for (const ValueInfoProto& input : proto.input) {
    if (input.name.empty()) return absl::InvalidArgumentError("an input has no name");
    if (scope.Defines(input.name)) {
      const auto id = scope.Find(input.name);
      // A default that could be overridden; what the graph computes with it is what was meant.
      if (!scope.is_subgraph() && graph.value(*id).is_constant()) continue;
      return absl::InvalidArgumentError(StrCat("value '", input.name, "' is made twice"));
    }
    Value value{.name = std::string(input.name)};
    ApplyInfo(input, value);
    if (!scope.is_subgraph() && value.type == DataType::kInvalid) {
      return absl::UnimplementedError(
          StrCat("input '", input.name, "' is not a tensor of a supported type: ",
                 input.is_tensor ? OnnxTypeName(input.elem_type) : "not a tensor"));
    }
    const ValueId id = graph.AddValue(std::move(value));
    NEREID_RETURN_IF_ERROR(scope.Define(input.name, id));
    graph.inputs.push_back(id);
    graph.input_dims.push_back(input.dims.value_or(std::vector<DeclaredDim>{}));
  }
  return absl::OkStatus();
}

absl::Status GraphBuilder::AddNodes(const std::vector<NodeProto>& nodes, const Frame& frame,
                                    Scope& scope) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<size_t> order, OrderNodes(nodes));
  for (const size_t i : order) {
    NEREID_RETURN_IF_ERROR(AtNode(AddNode(nodes[i], frame, scope), nodes[i], frame.prefix));
  }
  return absl::OkStatus();
}

const FunctionProto* GraphBuilder::FindFunction(const NodeProto& proto) const {
  if (functions_.empty()) return nullptr;
  const auto found = functions_.find(FunctionKey(proto.domain, proto.op_type, proto.overload));
  return found == functions_.end() ? nullptr : found->second;
}

absl::Status GraphBuilder::AddNode(const NodeProto& proto, const Frame& frame, Scope& scope) {
  if (--nodes_left_ < 0) {
    return absl::ResourceExhaustedError(
        StrCat("the model has more than ", limits_.max_nodes, " nodes"));
  }
  if (proto.op_type.empty()) return absl::InvalidArgumentError("it has no operator");
  const FunctionProto* function = FindFunction(proto);
  return function == nullptr ? AddOperator(proto, frame, scope)
                             : AddCall(*function, proto, frame, scope);
}

absl::Status GraphBuilder::AddOperator(const NodeProto& proto, const Frame& frame, Scope& scope) {
  if (proto.domain == kNereidDomain) {
    return absl::InvalidArgumentError(
        StrCat("domain '", kNereidDomain, "' is that of the engine's own operators"));
  }
  Graph& graph = scope.graph();
  Node node{
      .op = std::string(proto.op_type),
      .domain = std::string(CanonicalDomain(proto.domain)),
      .name = StrCat(frame.prefix,
                     proto.name.empty() && !proto.output.empty() ? proto.output[0] : proto.name),
      .inputs = {},
      .outputs = {},
      .attributes = {}};
  for (const std::string_view name : proto.input) {
    const std::optional<ValueId> id = name.empty() ? kNoValue : scope.Find(name);
    if (!id.has_value()) {
      return absl::InvalidArgumentError(StrCat("it reads '", name, "', which nothing makes"));
    }
    node.inputs.push_back(*id);
  }
  for (const AttributeProto& attribute : proto.attribute) {
    NEREID_RETURN_IF_ERROR(AddAttribute(attribute, frame, scope, node));
  }
  for (const std::string_view name : proto.output) {
    if (name.empty()) {
      node.outputs.push_back(kNoValue);
      continue;
    }
    Value value{.name = StrCat(frame.prefix, name)};
    if (const ValueInfoProto* info = scope.Info(name); info != nullptr) ApplyInfo(*info, value);
    node.outputs.push_back(graph.AddValue(std::move(value)));
  }
  const auto outputs = node.outputs;
  const auto opset = frame.opsets.find(node.domain);
  if (opset == frame.opsets.end() && node.domain.empty()) {
    return absl::InvalidArgumentError("the model does not say which opset it uses");
  }
  Aliases aliases;
  NEREID_RETURN_IF_ERROR(NormalizeNode(
      std::move(node), opset == frame.opsets.end() ? 1 : opset->second, graph, aliases));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == kNoValue || aliases.Removes(outputs[i])) continue;
    NEREID_RETURN_IF_ERROR(scope.Define(proto.output[i], aliases.Resolve(outputs[i])));
  }
  return absl::OkStatus();
}

absl::Status GraphBuilder::AddCall(const FunctionProto& function, const NodeProto& proto,
                                   const Frame& frame, Scope& scope) {
  if (frame.depth >= limits_.max_depth) {
    return absl::ResourceExhaustedError(
        StrCat("functions call each other deeper than ", limits_.max_depth));
  }
  if (proto.input.size() > function.input.size() || proto.output.size() > function.output.size()) {
    return absl::InvalidArgumentError("it does not fit the function that it calls");
  }
  Frame inner{.opsets = ReadOpsets(function.opset_import),
              .arguments = {},
              .prefix = StrCat(frame.prefix, proto.name.empty() ? proto.op_type : proto.name, "/"),
              .depth = frame.depth + 1,
              .in_function = true};
  for (const auto& [domain, version] : frame.opsets) inner.opsets.emplace(domain, version);
  for (const AttributeProto& attribute : proto.attribute) {
    const AttributeProto* source = &attribute;
    if (!attribute.ref_attr_name.empty()) {
      const auto found = frame.arguments.find(attribute.ref_attr_name);
      if (found == frame.arguments.end()) continue;
      source = found->second;
    }
    inner.arguments[attribute.name] = source;
  }
  for (const AttributeProto& attribute : function.attribute_proto) {
    inner.arguments.emplace(attribute.name, &attribute);
  }
  Scope body(scope.graph(), nullptr);
  for (size_t i = 0; i < function.input.size(); ++i) {
    const std::string_view name = i < proto.input.size() ? proto.input[i] : std::string_view();
    const std::optional<ValueId> id = name.empty() ? kNoValue : scope.Find(name);
    if (!id.has_value()) {
      return absl::InvalidArgumentError(StrCat("it reads '", name, "', which nothing makes"));
    }
    NEREID_RETURN_IF_ERROR(body.Define(function.input[i], *id));
  }
  NEREID_RETURN_IF_ERROR(AddNodes(function.node, inner, body));
  for (size_t i = 0; i < proto.output.size(); ++i) {
    if (proto.output[i].empty()) continue;
    const std::optional<ValueId> id = body.Find(function.output[i]);
    if (!id.has_value()) {
      return absl::InvalidArgumentError(
          StrCat("nothing in the function makes its output '", function.output[i], "'"));
    }
    NEREID_RETURN_IF_ERROR(scope.Define(proto.output[i], *id));
  }
  return absl::OkStatus();
}

absl::Status GraphBuilder::AddOutputs(const GraphProto& proto, const Frame& frame, Scope& scope) {
  Graph& graph = scope.graph();
  std::unordered_set<ValueId> taken(graph.inputs.begin(), graph.inputs.end());
  for (const ValueInfoProto& output : proto.output) {
    const std::optional<ValueId> found = scope.Find(output.name);
    if (!found.has_value() || *found == kNoValue) {
      return absl::InvalidArgumentError(
          StrCat("nothing makes the output '", frame.prefix, output.name, "'"));
    }
    ValueId id = *found;
    if (!scope.is_subgraph()) {
      Value named = graph.value(id);
      named.name = output.name;
      if (named.is_constant()) {
        id = graph.AddValue(std::move(named));
      } else if (!taken.insert(id).second) {
        id = graph.AddValue(std::move(named));
        graph.nodes.push_back(Node{.op = "Identity",
                                   .domain = {},
                                   .name = std::string(output.name),
                                   .inputs = {*found},
                                   .outputs = {id},
                                   .attributes = {}});
      } else {
        graph.value(id).name = output.name;
      }
      // A hint, as for other values.
      Value& declared = graph.value(id);
      if (declared.type == DataType::kInvalid && output.is_tensor) {
        declared.type = FromOnnxType(output.elem_type);
      }
    }
    graph.outputs.push_back(id);
    graph.output_dims.push_back(output.dims.value_or(std::vector<DeclaredDim>{}));
  }
  return absl::OkStatus();
}

absl::Status GraphBuilder::AddAttribute(const AttributeProto& attribute, const Frame& frame,
                                        Scope& scope, Node& node) {
  const AttributeProto* source = &attribute;
  if (!attribute.ref_attr_name.empty()) {
    if (!frame.in_function) {
      return absl::InvalidArgumentError(
          StrCat("attribute '", attribute.name, "' refers to a function's, outside of one"));
    }
    const auto found = frame.arguments.find(attribute.ref_attr_name);
    if (found == frame.arguments.end()) return absl::OkStatus();  // the operator's default
    source = found->second;
    if (source->type == AttributeProto::kGraph) {
      return absl::UnimplementedError("a graph is given to a function as attribute");
    }
  }
  if (source->type == AttributeProto::kTypeProto || source->type == AttributeProto::kUndefined) {
    return absl::OkStatus();
  }
  auto value = ReadAttribute(*source, frame, scope);
  if (!value.ok()) {
    return absl::Status(value.status().code(),
                        StrCat("attribute '", attribute.name, "': ", Message(value.status())));
  }
  node.attributes[std::string(attribute.name)] = *std::move(value);
  return absl::OkStatus();
}

absl::StatusOr<AttributeValue> GraphBuilder::ReadAttribute(const AttributeProto& attribute,
                                                           const Frame& frame, Scope& scope) {
  switch (attribute.type) {
    case AttributeProto::kFloat:
      return attribute.f;
    case AttributeProto::kInt:
      return attribute.i;
    case AttributeProto::kString:
      return std::string(attribute.s);
    case AttributeProto::kFloats:
      return attribute.floats;
    case AttributeProto::kInts:
      return attribute.ints;
    case AttributeProto::kStrings:
      return std::vector<std::string>(attribute.strings.begin(), attribute.strings.end());
    case AttributeProto::kTensor: {
      if (attribute.t == nullptr) break;
      NEREID_ASSIGN_OR_RETURN(HostTensor tensor, tensors_.Read(*attribute.t));
      return tensor;
    }
    case AttributeProto::kSparseTensor: {
      if (attribute.sparse_tensor == nullptr) break;
      NEREID_ASSIGN_OR_RETURN(HostTensor tensor, tensors_.ReadSparse(*attribute.sparse_tensor));
      return tensor;
    }
    case AttributeProto::kGraph: {
      if (attribute.g == nullptr) break;
      if (frame.depth >= limits_.max_depth) {
        return absl::ResourceExhaustedError(
            StrCat("subgraphs are nested deeper than ", limits_.max_depth));
      }
      Frame inner = frame;
      ++inner.depth;
      auto graph = std::make_shared<Graph>();
      graph->opset = scope.graph().opset;
      Scope body(*graph, &scope);
      NEREID_RETURN_IF_ERROR(BuildInto(*attribute.g, inner, body));
      return std::shared_ptr<const Graph>(std::move(graph));
    }
    default:
      return absl::UnimplementedError(StrCat("its kind ", attribute.type, " is not supported"));
  }
  return absl::InvalidArgumentError("it has no value of its kind");
}

}  // namespace nereid::engine
