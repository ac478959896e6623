#include "backends/cuda/passes/fold_into_next_conv.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// A step before the convolution, for each channel of its input: scale · x + shift.
struct Affine {
  ValueId x = kNoValue;
  std::vector<double> scale;
  std::vector<double> shift;
};

std::optional<Affine> AffineOf(const GraphEditor& editor, ValueId id, size_t rank,
                               int64_t channels) {
  const Node* node = editor.Producer(id);
  if (node == nullptr || !node->domain.empty() || !editor.HasOneUse(id)) return std::nullopt;
  if ((node->op != "Add" && node->op != "Mul") || !node->HasInput(0) || !node->HasInput(1)) {
    return std::nullopt;
  }
  for (const size_t operand : {0, 1}) {
    const ValueId x = node->inputs[operand];
    const Shape* shape = KnownShape(editor, x);
    auto numbers = ChannelNumbers(editor.Constant(node->inputs[1 - operand]), rank, channels);
    if (!numbers || shape == nullptr || shape->size() != rank || (*shape)[1] != channels) continue;
    const auto count = static_cast<size_t>(channels);
    if (node->op == "Mul") return Affine{x, *std::move(numbers), std::vector<double>(count, 0)};
    return Affine{x, std::vector<double>(count, 1), *std::move(numbers)};
  }
  return std::nullopt;
}

bool IsPadded(const Node& conv) {
  const std::string automatic = conv.String("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID") return true;
  return std::ranges::any_of(conv.Ints("pads"), [](int64_t pad) { return pad != 0; });
}

void FoldNode(GraphEditor& editor, NodeId id) {
  const Node& conv = editor.node(id);
  if (!conv.domain.empty() || conv.op != "Conv" || !conv.HasInput(1) || IsPadded(conv)) return;
  const HostTensor* given_weight = editor.Constant(conv.inputs[1]);
  const HostTensor* given_bias = conv.HasInput(2) ? editor.Constant(conv.inputs[2]) : nullptr;
  if (given_weight == nullptr || (conv.HasInput(2) && given_bias == nullptr)) return;
  const HostTensor weight = *given_weight;
  const HostTensor bias = given_bias == nullptr ? HostTensor() : *given_bias;
  const bool has_bias = given_bias != nullptr;
  const Shape& shape = weight.shape();
  if (!IsFloating(weight.type()) || shape.size() < 3 || weight.element_count() == 0) return;
  const int64_t groups = conv.Int("group", 1), in_group = shape[1];
  if (groups < 1 || shape[0] % groups != 0) return;
  const auto affine = AffineOf(editor, conv.inputs[0], shape.size(), in_group * groups);
  if (!affine) return;
  const int64_t window = weight.element_count() / (shape[0] * in_group);
  // The channel of the input that element i of the weight meets.
  const auto channel_of = [&](int64_t i) {
    const int64_t k = i / window / in_group;
    return static_cast<size_t>(k / (shape[0] / groups) * in_group + i / window % in_group);
  };
  std::vector<double> shifts(static_cast<size_t>(shape[0]), 0);
  for (int64_t i = 0; i < weight.element_count(); ++i) {
    shifts[static_cast<size_t>(i / window / in_group)] +=
        weight.AsDouble(i) * affine->shift[channel_of(i)];
  }
  Node folded = conv;
  folded.inputs.resize(3, kNoValue);
  folded.inputs[0] = affine->x;
  folded.inputs[1] = editor.AddConstant(StrCat(conv.name, "/weight"),
                                        MakeTensor(weight.type(), shape, [&](int64_t i) {
                                          return weight.AsDouble(i) * affine->scale[channel_of(i)];
                                        }));
  folded.inputs[2] = editor.AddConstant(
      StrCat(conv.name, "/bias"), MakeTensor(weight.type(), {shape[0]}, [&](int64_t k) {
        return (has_bias ? bias.AsDouble(k) : 0) + shifts[static_cast<size_t>(k)];
      }));
  editor.Replace(id, std::move(folded));
}

}  // namespace

absl::Status FoldIntoNextConv(Graph& graph) {
  RewriteNodes(graph, FoldNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
