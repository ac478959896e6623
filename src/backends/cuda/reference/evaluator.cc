#include "backends/cuda/reference/evaluator.h"

#include <algorithm>
#include <map>
#include <new>
#include <stdexcept>
#include <utility>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/graph_runner.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using Table = std::map<std::string_view, const OperatorRow*>;

constexpr absl::Span<const OperatorRow> (*kFamilies[])() = {
    UnaryOperators,      BinaryOperators,   CastOperators,      ReduceOperators,
    CumulativeOperators, SortOperators,     SoftmaxOperators,   MatMulOperators,
    EinsumOperators,     ConvOperators,     PoolOperators,      NormalizationOperators,
    ShapeOperators,      LayoutOperators,   PadOperators,       GeneratorOperators,
    GatherOperators,     ScatterOperators,  ResizeOperators,    SamplingOperators,
    AttentionOperators,  RotaryOperators,   RecurrentOperators, ControlFlowOperators,
    OptionalOperators,   QuantizeOperators, DetectionOperators, LossOperators,
    SignalOperators,     StatefulOperators, DeformOperators,    RandomOperators,
};

const Table& Operators() {
  static const Table& table = *[] {
    auto* rows = new Table;
    for (const auto family : kFamilies) {
      for (const OperatorRow& row : family()) rows->emplace(row.name, &row);
    }
    return rows;
  }();
  return table;
}

const OperatorRow* FindRow(const Node& node) {
  const Table& table = Operators();
  const auto found = table.find(node.domain.empty() ? node.op : StrCat(node.domain, ".", node.op));
  return found == table.end() ? nullptr : found->second;
}

bool IsAccepted(Accepts accepts, size_t index, DataType type) {
  const bool is_number = type != DataType::kBytes;
  switch (accepts) {
    case Accepts::kAnything:
      return true;
    case Accepts::kNumbers:
      return is_number;
    case Accepts::kFloats:
      return IsFloating(type);
    case Accepts::kLeadFloat:
      return index == 0 ? IsFloating(type) : is_number;
    case Accepts::kBools:
      return type == DataType::kBool;
    case Accepts::kIntegers:
      return IsInteger(type);
  }
  return false;
}

absl::Status CheckInputs(const OperatorRow& row, absl::Span<const HostTensor* const> inputs) {
  for (size_t i = 0; i < std::max(inputs.size(), row.required_inputs); ++i) {
    if (i >= inputs.size() || inputs[i] == nullptr) {
      if (i < row.required_inputs) return Refuse("input ", i, " is missing");
      continue;
    }
    const HostTensor& tensor = *inputs[i];
    if (tensor.type() == DataType::kInvalid || !IsAccepted(row.accepts, i, tensor.type())) {
      return Refuse("input ", i, " is of type ", ProtocolName(tensor.type()));
    }
    NEREID_RETURN_IF_ERROR(CountOf(tensor.shape()).status());
  }
  return absl::OkStatus();
}

// Captures given behind the inputs, or else those that are constants.
std::vector<const HostTensor*> CapturesOf(const Graph& graph, const Node& node,
                                          absl::Span<const HostTensor* const> given) {
  std::vector<const HostTensor*> captures;
  for (const ValueId id : CapturedValues(node)) {
    const size_t i = captures.size();
    const Value& value = graph.value(id);
    captures.push_back(i < given.size() ? given[i] : value.constant ? &*value.constant : nullptr);
  }
  return captures;
}

Results RunRow(const OperatorRow& row, const Graph& graph, const Node& node,
               absl::Span<const HostTensor* const> inputs) {
  const auto own = inputs.subspan(0, std::min(node.inputs.size(), inputs.size()));
  const auto captures = CapturesOf(graph, node, inputs.subspan(own.size()));
  NEREID_RETURN_IF_ERROR(CheckInputs(row, own));
  Results results = row.run({.graph = graph, .node = node, .inputs = own, .captures = captures});
  if (!results.ok()) return results;
  for (size_t i = results->size(); i < node.outputs.size(); ++i) {
    if (node.HasOutput(i)) return Refuse("there is no output ", i);
  }
  results->resize(node.outputs.size());
  return results;
}

absl::Status Named(const Node& node, const absl::Status& status) {
  return {status.code(), StrCat(Describe(node), ": ", Message(status))};
}

}  // namespace

absl::StatusOr<std::vector<HostTensor>> EvaluateNode(const Graph& graph, const Node& node,
                                                     absl::Span<const HostTensor* const> inputs) {
  const OperatorRow* row = FindRow(node);
  if (row == nullptr) {
    return Named(node, absl::UnimplementedError("the operator is not supported"));
  }
  try {
    Results results = RunRow(*row, graph, node, inputs);
    if (!results.ok()) return Named(node, results.status());
    return results;
  } catch (const std::bad_alloc&) {
    return Named(node, absl::ResourceExhaustedError("out of memory"));
  } catch (const std::length_error&) {
    return Named(node, absl::ResourceExhaustedError("out of memory"));
  }
}

std::vector<ValueId> CapturedValues(const Node& node) {
  std::vector<ValueId> captured;
  for (const auto& [name, attribute] : node.attributes) {
    const auto* subgraph = std::get_if<std::shared_ptr<const Graph>>(&attribute);
    if (subgraph == nullptr || *subgraph == nullptr) continue;
    for (const auto& [outer, inner] : (*subgraph)->captures) captured.push_back(outer);
  }
  return captured;
}

absl::StatusOr<std::vector<HostTensor>> EvaluateGraph(const Graph& graph,
                                                      absl::Span<const HostTensor> inputs) {
  return GraphRunner(graph).Run(inputs, {});
}

bool HasReference(const Node& node) { return FindRow(node) != nullptr; }

std::vector<std::string> ReferenceOperators() {
  std::vector<std::string> names;
  for (const auto& [name, row] : Operators()) names.emplace_back(name);
  return names;
}

}  // namespace nereid::engine
