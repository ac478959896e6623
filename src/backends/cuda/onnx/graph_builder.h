#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/onnx/proto.h"
#include "backends/cuda/onnx/tensor_reader.h"

namespace nereid::engine {

// Turns a parsed model into a graph: names become values, initialisers constants, nodes their
// canonical form, calls of the model's functions their bodies. Use once; not for concurrent use.
class GraphBuilder {
 public:
  struct Limits {
    int64_t max_nodes = 0;  // after functions are inlined
    int max_depth = 0;      // of subgraphs and functions inside each other
  };

  // Both are kept by the caller meanwhile.
  GraphBuilder(const ModelProto& model, TensorReader& tensors, const Limits& limits);
  ~GraphBuilder();

  // INVALID_ARGUMENT or UNIMPLEMENTED, naming the node.
  absl::StatusOr<std::shared_ptr<Graph>> Build();

 private:
  class Scope;
  class Aliases;
  struct Frame;

  absl::Status BuildInto(const GraphProto& proto, const Frame& frame, Scope& scope);
  absl::Status AddInputs(const GraphProto& proto, Scope& scope);
  absl::Status AddInitializers(const GraphProto& proto, Scope& scope);
  absl::Status AddNodes(const std::vector<NodeProto>& nodes, const Frame& frame, Scope& scope);
  absl::Status AddNode(const NodeProto& proto, const Frame& frame, Scope& scope);
  absl::Status AddOperator(const NodeProto& proto, const Frame& frame, Scope& scope);
  absl::Status AddCall(const FunctionProto& function, const NodeProto& proto, const Frame& frame,
                       Scope& scope);
  absl::Status AddOutputs(const GraphProto& proto, const Frame& frame, Scope& scope);
  absl::Status AddAttribute(const AttributeProto& attribute, const Frame& frame, Scope& scope,
                            Node& node);
  absl::StatusOr<AttributeValue> ReadAttribute(const AttributeProto& attribute, const Frame& frame,
                                               Scope& scope);
  const FunctionProto* FindFunction(const NodeProto& proto) const;

  const ModelProto& model_;
  TensorReader& tensors_;
  const Limits limits_;
  int64_t nodes_left_;
  std::map<std::string, const FunctionProto*, std::less<>> functions_;
};

}  // namespace nereid::engine
