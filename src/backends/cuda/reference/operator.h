#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/reference/shapes.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {

// One evaluation of a node. The evaluator has checked that the required inputs are present, that
// all inputs are of a kind the operator's row accepts, and that each has at most kMaxElements
// elements.
struct Call {
  const Graph& graph;
  const Node& node;
  absl::Span<const HostTensor* const> inputs;    // nullptr: left out
  absl::Span<const HostTensor* const> captures;  // of its subgraphs, see CapturedValues()

  bool Has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const HostTensor& In(size_t i) const { return *inputs[i]; }
  const Shape& ShapeOf(size_t i) const { return inputs[i]->shape(); }
  // Elements of the integer tensor that input i is.
  absl::StatusOr<std::vector<int64_t>> Integers(size_t i) const;
  // The same of a tensor with exactly one element; `fallback` when the input is left out.
  absl::StatusOr<int64_t> Integer(size_t i, int64_t fallback = 0) const;
  // The one element of a numeric input; `fallback` when it is left out.
  absl::StatusOr<double> Number(size_t i, double fallback) const;
};

// Parallel to the node's outputs; surplus ones are dropped.
using Results = absl::StatusOr<std::vector<HostTensor>>;

inline Results One(HostTensor tensor) {
  std::vector<HostTensor> results;
  results.push_back(std::move(tensor));
  return results;
}

template <typename... Tensors>
Results Several(Tensors... tensors) {
  std::vector<HostTensor> results;
  (results.push_back(std::move(tensors)), ...);
  return results;
}

template <typename... Pieces>
absl::Status Refuse(const Pieces&... pieces) {
  return absl::InvalidArgumentError(StrCat(pieces...));
}

// What the inputs of an operator may be. kLeadFloat: the first is floating, the others numbers.
enum class Accepts { kAnything, kNumbers, kFloats, kLeadFloat, kBools, kIntegers };

struct OperatorRow {
  std::string_view name;  // as ReferenceOperators() lists it
  Results (*run)(const Call& call);
  size_t required_inputs;  // the first so many may not be left out
  Accepts accepts = Accepts::kNumbers;
};

// The families, each a table in a file of its own.
absl::Span<const OperatorRow> UnaryOperators();
absl::Span<const OperatorRow> BinaryOperators();
absl::Span<const OperatorRow> CastOperators();
absl::Span<const OperatorRow> ReduceOperators();
absl::Span<const OperatorRow> CumulativeOperators();
absl::Span<const OperatorRow> SortOperators();
absl::Span<const OperatorRow> SoftmaxOperators();
absl::Span<const OperatorRow> MatMulOperators();
absl::Span<const OperatorRow> EinsumOperators();
absl::Span<const OperatorRow> ConvOperators();
absl::Span<const OperatorRow> PoolOperators();
absl::Span<const OperatorRow> NormalizationOperators();
absl::Span<const OperatorRow> ShapeOperators();
absl::Span<const OperatorRow> LayoutOperators();
absl::Span<const OperatorRow> PadOperators();
absl::Span<const OperatorRow> GeneratorOperators();
absl::Span<const OperatorRow> GatherOperators();
absl::Span<const OperatorRow> ScatterOperators();
absl::Span<const OperatorRow> ResizeOperators();
absl::Span<const OperatorRow> SamplingOperators();
absl::Span<const OperatorRow> AttentionOperators();
absl::Span<const OperatorRow> RotaryOperators();
absl::Span<const OperatorRow> RandomOperators();
absl::Span<const OperatorRow> RecurrentOperators();
absl::Span<const OperatorRow> ControlFlowOperators();
absl::Span<const OperatorRow> OptionalOperators();
absl::Span<const OperatorRow> QuantizeOperators();
absl::Span<const OperatorRow> DetectionOperators();
absl::Span<const OperatorRow> LossOperators();
absl::Span<const OperatorRow> SignalOperators();
absl::Span<const OperatorRow> StatefulOperators();
absl::Span<const OperatorRow> DeformOperators();

}  // namespace nereid::engine
