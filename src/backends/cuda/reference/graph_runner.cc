#include "backends/cuda/reference/graph_runner.h"

#include <utility>

#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// The values of one run.
class Slots {
 public:
  Slots(const Graph& graph, const std::vector<int>& reads)
      : graph_(graph), reads_(reads), tensors_(graph.values.size()) {}

  void Set(ValueId id, HostTensor tensor) { tensors_[static_cast<size_t>(id)] = std::move(tensor); }

  // nullptr when the value has not been made.
  const HostTensor* Get(ValueId id) const {
    const Value& value = graph_.value(id);
    if (value.is_constant()) return &*value.constant;
    const HostTensor& tensor = tensors_[static_cast<size_t>(id)];
    return tensor.type() == DataType::kInvalid ? nullptr : &tensor;
  }

  void Release(ValueId id) {
    if (--reads_[static_cast<size_t>(id)] == 0) tensors_[static_cast<size_t>(id)] = HostTensor();
  }

 private:
  const Graph& graph_;
  std::vector<int> reads_;
  std::vector<HostTensor> tensors_;
};

absl::Status Missing(const Graph& graph, ValueId id) {
  return absl::InvalidArgumentError(
      StrCat("value '", graph.value(id).name, "' is read before it is made"));
}

}  // namespace

GraphRunner::GraphRunner(const Graph& graph) : graph_(graph), reads_(graph.values.size(), 0) {
  captured_.reserve(graph.nodes.size());
  for (const Node& node : graph.nodes) {
    captured_.push_back(CapturedValues(node));
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) ++reads_[static_cast<size_t>(id)];
    }
    for (const ValueId id : captured_.back()) ++reads_[static_cast<size_t>(id)];
  }
  for (const ValueId id : graph.outputs) ++reads_[static_cast<size_t>(id)];
}

absl::StatusOr<std::vector<HostTensor>> GraphRunner::Run(
    absl::Span<const HostTensor> inputs, absl::Span<const HostTensor* const> captures) const {
  if (inputs.size() != graph_.inputs.size() || captures.size() != graph_.captures.size()) {
    return absl::InvalidArgumentError(StrCat("graph '", graph_.name, "' takes ",
                                             graph_.inputs.size(), " inputs, not ", inputs.size()));
  }
  Slots slots(graph_, reads_);
  for (size_t i = 0; i < inputs.size(); ++i) slots.Set(graph_.inputs[i], inputs[i]);
  for (size_t i = 0; i < captures.size(); ++i) {
    if (captures[i] != nullptr) slots.Set(graph_.captures[i].second, *captures[i]);
  }
  std::vector<const HostTensor*> operands;
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    operands.clear();
    for (const ValueId id : node.inputs) {
      operands.push_back(id == kNoValue ? nullptr : slots.Get(id));
      if (id != kNoValue && operands.back() == nullptr) return Missing(graph_, id);
    }
    for (const ValueId id : captured_[n]) operands.push_back(slots.Get(id));
    NEREID_ASSIGN_OR_RETURN(std::vector<HostTensor> results, EvaluateNode(graph_, node, operands));
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) slots.Release(id);
    }
    for (const ValueId id : captured_[n]) slots.Release(id);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.HasOutput(i)) slots.Set(node.outputs[i], std::move(results[i]));
    }
  }
  std::vector<HostTensor> outputs;
  for (const ValueId id : graph_.outputs) {
    const HostTensor* tensor = slots.Get(id);
    if (tensor == nullptr) return Missing(graph_, id);
    outputs.push_back(*tensor);
  }
  return outputs;
}

}  // namespace nereid::engine
