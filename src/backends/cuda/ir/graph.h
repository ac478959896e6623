#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "backends/cuda/ir/host_tensor.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid::engine {

class Graph;

// Index of a value in its graph. kNoValue marks an optional input or output that is left out.
using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;
using NodeId = int32_t;
// Stands among the consumers of a value for each time the graph's outputs name it.
inline constexpr NodeId kGraphOutput = -1;

// An extent of a graph input or output as the file declares it: known, named, or neither.
struct DeclaredDim {
  int64_t value = -1;  // -1: not known
  std::string symbol;  // may be empty
};

struct Value {
  std::string name;                         // as in the model file; made up for inserted values
  DataType type = DataType::kInvalid;       // kInvalid: not inferred yet
  std::optional<Shape> shape = {};          // -1 where an extent is not known yet
  std::optional<HostTensor> constant = {};  // weight, or folded
  bool is_constant() const { return constant.has_value(); }
};

using AttributeValue =
    std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                 std::vector<std::string>, HostTensor, std::shared_ptr<const Graph>>;

// One operation. Operators of the default ONNX domain are in the canonical form of
// onnx/normalizer.h; those the engine makes itself have the domain "nereid".
struct Node {
  std::string op;
  std::string domain;  // "": ONNX's own
  std::string name;    // for messages: that of the model file, e.g. "/encoder/layer.3/MatMul"
  absl::InlinedVector<ValueId, 4> inputs;
  absl::InlinedVector<ValueId, 2> outputs;
  std::map<std::string, AttributeValue, std::less<>> attributes;

  bool HasInput(size_t i) const { return i < inputs.size() && inputs[i] != kNoValue; }
  bool HasOutput(size_t i) const { return i < outputs.size() && outputs[i] != kNoValue; }
  // The attribute, or `fallback` when it is absent or of another type.
  int64_t Int(std::string_view name, int64_t fallback) const;
  float Float(std::string_view name, float fallback) const;
  std::string String(std::string_view name, std::string_view fallback) const;
  std::vector<int64_t> Ints(std::string_view name) const;  // empty when absent
  const Graph* Subgraph(std::string_view name) const;      // nullptr when absent
};

// A function in SSA form: each value is an input, a constant, or the output of one node; nodes are
// in topological order. A subgraph (If, Loop, Scan) may also read values of the graph around it:
// those it lists in `captures`.
class Graph {
 public:
  std::string name;
  int opset = 0;  // of the default domain, as imported
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  // Declared extents of inputs and outputs, parallel to them.
  std::vector<std::vector<DeclaredDim>> input_dims;
  std::vector<std::vector<DeclaredDim>> output_dims;
  // Subgraphs only: (value of the outer graph, value here that stands for it).
  std::vector<std::pair<ValueId, ValueId>> captures;

  ValueId AddValue(Value value);
  ValueId AddConstant(std::string name, HostTensor tensor);
  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }

  // Node that makes each value, -1 for inputs and constants. Recomputed on every call.
  std::vector<NodeId> Producers() const;
  // Nodes that read each value, once for each time (also through their subgraphs' captures), and
  // kGraphOutput where the graph's outputs name it. Recomputed on every call.
  std::vector<std::vector<NodeId>> Consumers() const;

  // INTERNAL, naming the node, when the graph breaks one of the rules above. Passes call it before
  // and after they work.
  absl::Status Verify() const;
};

// "Conv 'name'": how messages name a node.
std::string Describe(const Node& node);

}  // namespace nereid::engine
