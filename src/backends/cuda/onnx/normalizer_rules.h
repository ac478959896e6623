#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/onnx/normalizer.h"

namespace nereid::engine {

// One node on its way into canonical form. A rule edits `node` in place, or appends nodes of its
// own and says so with Drop().
class NodeRewrite {
 public:
  NodeRewrite(Node n, int64_t version, Graph& g, NodeSink& s)
      : node(std::move(n)), opset(version), graph(g), sink(s) {}

  Node node;
  const int64_t opset;
  Graph& graph;
  NodeSink& sink;

  // The input if it is a constant, else nullptr.
  const HostTensor* ConstantInput(size_t i) const;
  // Its rank, where known; -1 otherwise.
  int64_t RankOf(size_t i) const;
  DataType TypeOf(size_t i) const;
  ValueId Input(size_t i) const { return node.HasInput(i) ? node.inputs[i] : kNoValue; }
  void SetInput(size_t i, ValueId id);
  // Removes an attribute; whether it was there.
  bool Erase(std::string_view attribute);

  ValueId Constant(HostTensor tensor);
  // A floating scalar of the type of input 0 (fp32 where that is not known).
  ValueId ScalarLikeInput(double value);
  // Appends a node of the default domain and returns its output.
  ValueId Emit(std::string_view op, absl::Span<const ValueId> inputs,
               std::map<std::string, AttributeValue, std::less<>> attributes = {});
  // The same, making output i of the node.
  void EmitOutput(size_t i, std::string_view op, absl::Span<const ValueId> inputs,
                  std::map<std::string, AttributeValue, std::less<>> attributes = {});
  // Lets output i be `value`; kNoValue: it does not exist any more.
  void Alias(size_t i, ValueId value);
  // The node itself is not to be appended.
  void Drop() { dropped_ = true; }
  bool dropped() const { return dropped_; }

 private:
  bool dropped_ = false;
};

using NormalizeRule = absl::Status (*)(NodeRewrite&);

// `rule` applies to `op` where its opset is below `before`.
struct NormalizeRow {
  std::string_view op;
  int64_t before;
  NormalizeRule rule;
};
inline constexpr int64_t kAnyOpset = INT64_MAX;

// By file: operators of the default domain that changed, and those of com.microsoft.
absl::Span<const NormalizeRow> StandardRows();
absl::Span<const NormalizeRow> MicrosoftRows();

}  // namespace nereid::engine
