#include "backends/cuda/lower/pointwise_rows.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

namespace nereid::engine {
namespace {

struct Attribute {
  std::string_view name;  // empty: none
  float fallback = 0;
};

// Operators whose generator function has another name than the operator, or parameters.
struct Row {
  std::string_view op;
  std::array<Attribute, 2> attributes;
};
constexpr Row kRows[] = {
    {"Celu", {{{"alpha", 1.0f}}}},
    {"Elu", {{{"alpha", 1.0f}}}},
    {"HardSigmoid", {{{"alpha", 0.2f}, {"beta", 0.5f}}}},
    {"LeakyRelu", {{{"alpha", 0.01f}}}},
    {"Selu", {{{"alpha", 1.67326319217681884765625f}, {"gamma", 1.05070102214813232421875f}}}},
    {"Shrink", {{{"lambd", 0.5f}, {"bias", 0.0f}}}},
    {"Swish", {{{"alpha", 1.0f}}}},
    {"ThresholdedRelu", {{{"alpha", 1.0f}}}},
};

// Functions that are not operators of ONNX, or take attributes that are no numbers.
std::string FunctionName(const Node& node) {
  if (node.op == "Gelu" && node.String("approximate", "none") == "tanh") return "FastGelu";
  if (node.op == "Mod" && node.Int("fmod", 0) != 0) return "Fmod";
  if (node.op == "BitShift") {
    return node.String("direction", "LEFT") == "RIGHT" ? "BitShiftRight" : "BitShiftLeft";
  }
  if (node.op == "Clip") {
    if (!node.HasInput(2)) return node.HasInput(1) ? "Max" : "Identity";
    if (!node.HasInput(1)) return "Min";
  }
  return node.op;
}

// Names the generator uses for something that is not an operator of a graph. An Identity is a view.
constexpr std::string_view kNotOperators[] = {
    "BitShiftLeft", "BitShiftRight", "BitShiftRightUnsigned",
    "ClipConstant", "Constant",      "FastGelu",
    "Fmod",         "Identity",      "QuickGelu"};

}  // namespace

bool IsPointwise(const Node& node) {
  if (!node.domain.empty()) return false;
  if (std::ranges::find(kNotOperators, node.op) != std::end(kNotOperators)) return false;
  return FindPointwiseFunction(FunctionName(node)) != nullptr;
}

PointwiseStep PointwiseStepOf(const Node& node) {
  PointwiseStep step;
  step.function = FunctionName(node);
  if (node.op == "IsInf") {
    step.parameters = {static_cast<double>(node.Int("detect_negative", 1)),
                       static_cast<double>(node.Int("detect_positive", 1))};
    return step;
  }
  const auto* row = std::ranges::find(kRows, std::string_view(node.op), &Row::op);
  if (row == std::end(kRows)) return step;
  for (const Attribute& attribute : row->attributes) {
    if (attribute.name.empty()) continue;
    step.parameters.push_back(node.Float(attribute.name, attribute.fallback));
  }
  return step;
}

}  // namespace nereid::engine
