#include "backends/cuda/passes/fold.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "backends/cuda/passes/infer_rules.h"
#include "backends/cuda/reference/evaluator.h"

namespace nereid::engine {
namespace {

constexpr std::array<std::string_view, 10> kNeverFolded = {"Bernoulli",     "If",
                                                           "Loop",          "Multinomial",
                                                           "RandomNormal",  "RandomNormalLike",
                                                           "RandomUniform", "RandomUniformLike",
                                                           "Scan",          "Unique"};

// Operators whose cost is their output's size times that of one row of a weight.
constexpr std::array<std::string_view, 12> kProducts = {
    "Attention", "Conv", "ConvInteger", "ConvTranspose", "Einsum",      "GRU",
    "Gemm",      "LSTM", "MatMul",      "MatMulInteger", "QLinearConv", "RNN"};

template <size_t N>
bool Contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<HostTensor> FoldShape(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || !node.HasInput(0) || (node.op != "Shape" && node.op != "Size")) {
    return std::nullopt;
  }
  const auto& shape = graph.value(node.inputs[0]).shape;
  if (!shape.has_value()) return std::nullopt;
  if (node.op == "Size") {
    const auto count = MultiplyExtents(*shape);
    if (!count.ok() || *count < 0) return std::nullopt;
    return HostTensor::Scalar(*count);
  }
  const auto rank = static_cast<int64_t>(shape->size());
  const auto place = [rank](int64_t at) {
    return static_cast<size_t>(std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank));
  };
  const size_t start = place(node.Int("start", 0));
  const size_t end = std::max(start, place(node.Int("end", rank)));
  const auto part = absl::MakeConstSpan(*shape).subspan(start, end - start);
  if (!IsKnown(part)) return std::nullopt;
  return HostTensor::Vector(part);
}

bool IsAffordable(const Graph& graph, const Node& node, int64_t input_elements,
                  int64_t largest_input, const FoldLimits& limits) {
  int64_t elements = 0;
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const auto& shape = graph.value(id).shape;
    if (!shape.has_value() || !IsKnown(*shape))
      return input_elements <= limits.max_growing_elements;
    const auto count = MultiplyExtents(*shape);
    if (!count.ok() || *count > limits.max_elements) return false;
    elements += *count;
  }
  if (elements > limits.max_growing_elements && elements > input_elements) return false;
  if (!Contains(kProducts, node.op)) return true;
  return static_cast<double>(elements) * static_cast<double>(largest_input) <=
         static_cast<double>(limits.max_multiplications) * 64;
}

}  // namespace

std::optional<std::vector<HostTensor>> Fold(const Graph& graph, const Node& node,
                                            const FoldLimits& limits) {
  if (auto shape = FoldShape(graph, node); shape.has_value()) {
    return std::vector<HostTensor>{*std::move(shape)};
  }
  if (Contains(kNeverFolded, node.op) || !HasShapeRule(node) || !HasReference(node)) {
    return std::nullopt;
  }
  std::vector<const HostTensor*> inputs;
  int64_t elements = 0;
  int64_t largest = 0;
  for (const ValueId id : node.inputs) {
    if (id != kNoValue && !graph.value(id).is_constant()) return std::nullopt;
    inputs.push_back(id == kNoValue ? nullptr : &*graph.value(id).constant);
    if (id == kNoValue) continue;
    elements += inputs.back()->element_count();
    largest = std::max(largest, inputs.back()->element_count());
  }
  if (!IsAffordable(graph, node, elements, largest, limits)) return std::nullopt;
  auto results = EvaluateNode(graph, node, inputs);
  if (!results.ok() || results->size() < node.outputs.size()) return std::nullopt;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.HasOutput(i) && (*results)[i].type() == DataType::kInvalid) return std::nullopt;
  }
  return *std::move(results);
}

}  // namespace nereid::engine
