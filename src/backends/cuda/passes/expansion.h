#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Builds what stands for one node: nodes appended to a list, types and shapes inferred on the way.
// Once something does not fit, nothing more is appended and ok() is false.
class Expansion {
 public:
  using Attributes = std::map<std::string, AttributeValue, std::less<>>;

  // Appends to `nodes`, whose values are those of `graph`.
  Expansion(Graph& graph, const Node& node, std::vector<Node>& nodes)
      : node(node), graph_(graph), nodes_(nodes) {}

  const Node& node;

  bool ok() const { return ok_; }
  bool Has(size_t i) const { return node.HasInput(i); }
  ValueId In(size_t i) const { return Has(i) ? node.inputs[i] : kNoValue; }
  DataType TypeOf(ValueId id) const { return graph_.value(id).type; }
  bool IsKnown(ValueId id) const;
  // Of a value for which IsKnown() holds.
  const Shape& ShapeOf(ValueId id) const { return *graph_.value(id).shape; }
  const HostTensor* Constant(ValueId id) const;

  ValueId Op(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {},
             std::string_view domain = "");
  // Output i of the node. Inputs may be left out here.
  void Make(size_t i, std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {},
            std::string_view domain = "");

  ValueId Ints(absl::Span<const int64_t> values);
  ValueId Tensor(HostTensor tensor);
  // A scalar of a floating or integer type.
  ValueId Number(double value, DataType type);

  // Nothing is appended where nothing changes.
  ValueId Reshape(ValueId id, const Shape& shape);
  ValueId Transpose(ValueId id, const std::vector<int64_t>& permutation);
  ValueId Cast(ValueId id, DataType type);
  ValueId Slice(ValueId id, int64_t axis, int64_t begin, int64_t end);
  ValueId Concat(std::vector<ValueId> ids, int64_t axis);

 private:
  void Append(Node made);

  Graph& graph_;
  std::vector<Node>& nodes_;
  bool ok_ = true;
};

// A way to write one operator with others. False: the node stays (what was appended is dropped).
using Decomposition = bool (*)(Expansion& e);
struct DecompositionRow {
  std::string_view op;
  Decomposition run;
};

// The families, each a table in a file of its own.
absl::Span<const DecompositionRow> AttentionDecompositions();
absl::Span<const DecompositionRow> EinsumDecompositions();
absl::Span<const DecompositionRow> NormDecompositions();
absl::Span<const DecompositionRow> QuantizeDecompositions();
absl::Span<const DecompositionRow> WindowDecompositions();

}  // namespace nereid::engine
