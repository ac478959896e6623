#include "backends/cuda/exec/precision_simulation.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <utility>

#include "backends/cuda/ir/half.h"
#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

float ThroughFp16(float x) { return Fp16ToFloat(FloatToFp16(x)); }
float ThroughBf16(float x) { return Bf16ToFloat(FloatToBf16(x)); }
// Ten bits of mantissa.
float ThroughTf32(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7f800000) == 0x7f800000) return x;
  return std::bit_cast<float>((bits + 0x0fff + ((bits >> 13) & 1)) & 0xffffe000);
}

using Rounding = float (*)(float);

Rounding RoundingOf(DataType type) {
  if (type == DataType::kFp16) return ThroughFp16;
  return type == DataType::kBf16 ? ThroughBf16 : nullptr;
}

// The tensor itself where there is nothing to round.
HostTensor Rounded(const HostTensor& tensor, Rounding rounding) {
  if (rounding == nullptr || tensor.type() != DataType::kFp32) return tensor;
  HostTensor rounded(tensor.type(), tensor.shape());
  const float* from = tensor.data<float>();
  std::transform(from, from + tensor.element_count(), rounded.mutable_data<float>(), rounding);
  return rounded;
}

bool IsProduct(const Node& node) {
  constexpr std::string_view kProducts[] = {"Conv",   "ConvTranspose", "Gemm",
                                            "MatMul", kFusedConv,      kFmha};
  return std::ranges::find(kProducts, node.op) != std::end(kProducts);
}

// Both runs.
class Simulation {
 public:
  Simulation(const Graph& graph, const PrecisionOptions& options, double bound)
      : graph_(graph),
        bound_(bound),
        types_(AssignTypes(graph, options)),
        exact_(graph.values.size()),
        rounded_(graph.values.size()),
        reads_(graph.values.size(), 0) {
    for (const Node& node : graph.nodes) ForEachRead(node, [&](ValueId id) { ++At(reads_, id); });
    for (const ValueId id : graph.outputs) ++At(reads_, id);
  }

  absl::StatusOr<SimulatedPrecision> Run(absl::Span<const HostTensor> inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      At(exact_, graph_.inputs[i]) = At(rounded_, graph_.inputs[i]) = inputs[i];
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) NEREID_RETURN_IF_ERROR(RunNode(i));
    SimulatedPrecision result;
    std::vector<HostTensor> got;
    for (const ValueId id : graph_.outputs) {
      result.exact.push_back(Find(exact_, id));
      got.push_back(Find(rounded_, id));
    }
    result.outputs = CompareOutputs(graph_, got, result.exact);
    if (AnyExceeds(result.outputs, bound_)) result.offender = not_finite_ ? not_finite_ : exceeds_;
    return result;
  }

 private:
  template <typename T>
  static typename std::vector<T>::reference At(std::vector<T>& values, ValueId id) {
    return values[static_cast<size_t>(id)];
  }
  template <typename Visit>
  static void ForEachRead(const Node& node, Visit visit) {
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) visit(id);
    }
    for (const ValueId id : CapturedValues(node)) visit(id);
  }
  const HostTensor& Find(const std::vector<HostTensor>& run, ValueId id) const {
    const Value& value = graph_.value(id);
    return value.is_constant() ? *value.constant : run[static_cast<size_t>(id)];
  }

  // What the node multiplies is rounded before, what it makes afterwards.
  absl::StatusOr<std::vector<HostTensor>> Evaluate(size_t index, bool round) {
    const Node& node = graph_.nodes[index];
    Rounding rounding = nullptr;
    if (round && IsProduct(node)) {
      rounding = types_.tf32[index] ? ThroughTf32 : RoundingOf(types_.compute[index]);
    }
    std::vector<HostTensor> held;
    std::vector<bool> given;
    for (const ValueId id : node.inputs) {
      given.push_back(id != kNoValue);
      held.push_back(id == kNoValue ? HostTensor()
                                    : Rounded(Find(round ? rounded_ : exact_, id), rounding));
    }
    for (const ValueId id : CapturedValues(node)) {
      given.push_back(true);
      held.push_back(Find(round ? rounded_ : exact_, id));
    }
    std::vector<const HostTensor*> operands;
    for (size_t i = 0; i < held.size(); ++i) operands.push_back(given[i] ? &held[i] : nullptr);
    return EvaluateNode(graph_, node, operands);
  }

  absl::Status RunNode(size_t index) {
    const Node& node = graph_.nodes[index];
    NEREID_ASSIGN_OR_RETURN(std::vector<HostTensor> exact, Evaluate(index, false));
    NEREID_ASSIGN_OR_RETURN(std::vector<HostTensor> rounded, Evaluate(index, true));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.HasOutput(i)) continue;
      const ValueId id = node.outputs[i];
      HostTensor kept = Rounded(rounded[i], RoundingOf(At(types_.storage, id)));
      if (IsFloating(graph_.value(id).type)) Judge(node, Compare("", kept, exact[i]));
      At(exact_, id) = std::move(exact[i]);
      At(rounded_, id) = std::move(kept);
    }
    ForEachRead(node, [&](ValueId id) {
      if (--At(reads_, id) == 0) At(exact_, id) = At(rounded_, id) = HostTensor();
    });
    return absl::OkStatus();
  }

  void Judge(const Node& node, const Difference& difference) {
    if (difference.not_finite > 0 && !not_finite_) not_finite_ = Describe(node);
    if (difference.Exceeds(bound_) && !exceeds_) exceeds_ = Describe(node);
  }

  const Graph& graph_;
  const double bound_;
  TypePlan types_;
  std::vector<HostTensor> exact_, rounded_;  // by value
  std::vector<int> reads_;                   // by value: that are still to come
  std::optional<std::string> not_finite_, exceeds_;
};

}  // namespace

absl::StatusOr<SimulatedPrecision> SimulatePrecision(const Graph& graph,
                                                     const PrecisionOptions& options,
                                                     absl::Span<const HostTensor> inputs,
                                                     double bound) {
  return Simulation(graph, options, bound).Run(inputs);
}

}  // namespace nereid::engine
