#include "backends/cuda/passes/fold_into_conv.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// What follows the convolution, for each channel: scale · y + shift.
struct Affine {
  std::vector<double> scale;
  std::vector<double> shift;
};

struct ConvParts {
  const Node* node = nullptr;
  const HostTensor* weight = nullptr;
  const HostTensor* bias = nullptr;  // may be left out
  int64_t channels = 0;
  int64_t group = 1;
};

std::optional<ConvParts> FindConv(const GraphEditor& editor, ValueId id) {
  const Node* node = editor.Producer(id);
  if (node == nullptr || !node->domain.empty() || !editor.HasOneUse(id)) return std::nullopt;
  const bool transposed = node->op == "ConvTranspose";
  if ((node->op != "Conv" && !transposed) || !node->HasInput(1)) return std::nullopt;
  ConvParts conv{.node = node, .weight = editor.Constant(node->inputs[1])};
  if (conv.weight == nullptr || !IsFloating(conv.weight->type())) return std::nullopt;
  if (node->HasInput(2)) {
    conv.bias = editor.Constant(node->inputs[2]);
    if (conv.bias == nullptr) return std::nullopt;
  }
  const Shape& shape = conv.weight->shape();
  conv.group = node->Int("group", 1);
  if (shape.size() < 3 || conv.weight->element_count() == 0 || conv.group < 1 ||
      shape[0] % conv.group != 0) {
    return std::nullopt;
  }
  conv.channels = transposed ? shape[1] * conv.group : shape[0];
  if (conv.bias != nullptr && conv.bias->element_count() != conv.channels) return std::nullopt;
  return conv;
}

std::optional<Affine> FromBatchNorm(const GraphEditor& editor, const Node& node,
                                    const ConvParts& conv) {
  const HostTensor* parts[4];
  for (size_t i = 0; i < 4; ++i) {
    parts[i] = node.HasInput(i + 1) ? editor.Constant(node.inputs[i + 1]) : nullptr;
    if (parts[i] == nullptr || parts[i]->element_count() != conv.channels) return std::nullopt;
  }
  const double epsilon = node.Float("epsilon", 1e-5f);
  Affine affine;
  for (int64_t c = 0; c < conv.channels; ++c) {
    const double scale = parts[0]->AsDouble(c) / std::sqrt(parts[3]->AsDouble(c) + epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back(parts[1]->AsDouble(c) - parts[2]->AsDouble(c) * scale);
  }
  return affine;
}

std::optional<Affine> FromArithmetic(const GraphEditor& editor, const Node& node, size_t operand,
                                     const ConvParts& conv) {
  auto numbers = ChannelNumbers(editor.Constant(node.inputs[1 - operand]),
                                conv.weight->shape().size(), conv.channels);
  if (!numbers.has_value()) return std::nullopt;
  const auto channels = static_cast<size_t>(conv.channels);
  Affine affine{std::vector<double>(channels, 1), std::vector<double>(channels, 0)};
  for (size_t c = 0; c < channels; ++c) {
    const double number = (*numbers)[c];
    if (node.op == "Mul") {
      affine.scale[c] = number;
    } else if (node.op == "Div") {
      if (number == 0) return std::nullopt;
      affine.scale[c] = 1 / number;
    } else {
      affine.shift[c] = node.op == "Sub" ? -number : number;
    }
  }
  return affine;
}

// The weight with each run of `run` elements, which belong to one channel, times its factor.
HostTensor Scaled(const HostTensor& weight, int64_t run,
                  const std::function<double(int64_t)>& factor_at) {
  if (weight.type() != DataType::kFp32) {
    return MakeTensor(weight.type(), weight.shape(),
                      [&](int64_t i) { return weight.AsDouble(i) * factor_at(i); });
  }
  HostTensor out(weight.type(), weight.shape());  // what weights mostly are, and there are millions
  const float* from = weight.data<float>();
  float* to = out.mutable_data<float>();
  for (int64_t begin = 0; begin < weight.element_count(); begin += run) {
    const double factor = factor_at(begin);
    for (int64_t i = begin; i < begin + run; ++i) {
      to[i] = static_cast<float>(static_cast<double>(from[i]) * factor);
    }
  }
  return out;
}

void Apply(GraphEditor& editor, NodeId id, const ConvParts& conv, const Affine& affine) {
  const Shape& shape = conv.weight->shape();
  const bool transposed = conv.node->op == "ConvTranspose";
  const int64_t inner = conv.weight->element_count() / std::max<int64_t>(1, shape[0] * shape[1]);
  const int64_t rows_per_group = shape[0] / conv.group;
  const auto channel_of = [&](int64_t i) {
    const int64_t row = i / inner / shape[1];
    if (!transposed) return static_cast<size_t>(row);
    return static_cast<size_t>(row / rows_per_group * shape[1] + i / inner % shape[1]);
  };
  const HostTensor weight = *conv.weight;
  const HostTensor bias = conv.bias == nullptr ? HostTensor() : *conv.bias;
  const bool has_bias = conv.bias != nullptr;
  Node fused = *conv.node;
  fused.inputs.resize(3, kNoValue);
  fused.inputs[1] =
      editor.AddConstant(StrCat(fused.name, "/weight"),
                         Scaled(weight, transposed ? inner : inner * shape[1],
                                [&](int64_t i) { return affine.scale[channel_of(i)]; }));
  fused.inputs[2] = editor.AddConstant(
      StrCat(fused.name, "/bias"), MakeTensor(weight.type(), {conv.channels}, [&](int64_t c) {
        const auto at = static_cast<size_t>(c);
        return (has_bias ? bias.AsDouble(c) : 0) * affine.scale[at] + affine.shift[at];
      }));
  editor.Replace(id, std::move(fused));
}

void FoldNode(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if (!node.domain.empty() || !node.HasInput(0)) return;
  if (node.op == "BatchNormalization") {
    const auto conv = FindConv(editor, node.inputs[0]);
    const auto affine = conv.has_value() ? FromBatchNorm(editor, node, *conv) : std::nullopt;
    if (affine.has_value()) Apply(editor, id, *conv, *affine);
    return;
  }
  const bool commutes = node.op == "Add" || node.op == "Mul";
  if ((!commutes && node.op != "Sub" && node.op != "Div") || !node.HasInput(1)) return;
  for (size_t operand = 0; operand < (commutes ? 2u : 1u); ++operand) {
    const auto conv = FindConv(editor, node.inputs[operand]);
    const auto affine =
        conv.has_value() ? FromArithmetic(editor, node, operand, *conv) : std::nullopt;
    if (!affine.has_value()) continue;
    Apply(editor, id, *conv, *affine);
    return;
  }
}

}  // namespace

absl::Status FoldIntoConv(Graph& graph) {
  RewriteNodes(graph, FoldNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
