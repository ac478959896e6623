#include "backends/cuda/passes/fuse_attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr std::array<std::string_view, 5> kViews = {"Flatten", "Reshape", "Squeeze", "Transpose",
                                                    "Unsqueeze"};

bool IsView(const Node& node) {
  return node.domain.empty() && std::ranges::find(kViews, node.op) != kViews.end();
}

// Of a multiplication, or division, by a number: the number and what is multiplied.
std::optional<std::pair<ValueId, double>> ScaledBy(const GraphEditor& editor, const Node& node) {
  if (!node.domain.empty() || (node.op != "Div" && node.op != "Mul")) return std::nullopt;
  const auto parts = SplitScalar(editor, node);
  if (!parts.has_value() || node.op == "Mul") return parts;
  if (parts->first != node.inputs[0]) return std::nullopt;
  return std::pair(parts->first, 1 / parts->second);
}

// The numbers that a value is multiplied by on its way, views included, as far as nothing else
// reads what lies between.
double ScaleOf(const GraphEditor& editor, ValueId id) {
  double scale = 1;
  for (;;) {
    const Node* node = editor.Producer(id);
    if (node == nullptr || !editor.HasOneUse(id)) return scale;
    if (const auto parts = ScaledBy(editor, *node); parts.has_value()) {
      scale *= parts->second;
      id = parts->first;
    } else if (IsView(*node)) {
      id = node->inputs[0];
    } else {
      return scale;
    }
  }
}

// The same value without those numbers.
ValueId Unscaled(GraphEditor& editor, NodeId before, ValueId id) {
  const Node* node = editor.Producer(id);
  if (node == nullptr || !editor.HasOneUse(id)) return id;
  if (const auto parts = ScaledBy(editor, *node); parts.has_value()) {
    return Unscaled(editor, before, parts->first);
  }
  if (!IsView(*node)) return id;
  Node view = *node;
  view.inputs[0] = Unscaled(editor, before, node->inputs[0]);
  if (view.inputs[0] == node->inputs[0]) return id;
  view.outputs.clear();
  const Value& value = editor.value(id);
  return editor.InsertBefore(before, std::move(view), value.type, value.shape);
}

// Steps over multiplications by a number that nothing else reads.
ValueId PeelScale(const GraphEditor& editor, ValueId id, double& scale) {
  for (;;) {
    const Node* node = editor.Producer(id);
    if (node == nullptr || !editor.HasOneUse(id)) return id;
    const auto parts = ScaledBy(editor, *node);
    if (!parts.has_value()) return id;
    scale *= parts->second;
    id = parts->first;
  }
}

struct Scores {
  ValueId q = kNoValue;
  ValueId k = kNoValue;  // [B,H,D,N]
  ValueId mask = kNoValue;
  double scale = 1;
};

bool FindScores(const GraphEditor& editor, ValueId id, Scores& scores) {
  const ValueId plain = PeelScale(editor, id, scores.scale);
  const Node* product = editor.Producer(plain, "MatMul");
  if (product == nullptr || !editor.HasOneUse(plain)) return false;
  scores.q = product->inputs[0];
  scores.k = product->inputs[1];
  scores.scale *= ScaleOf(editor, scores.q) * ScaleOf(editor, scores.k);
  return true;
}

bool FindMasked(const GraphEditor& editor, ValueId id, Scores& scores) {
  if (FindScores(editor, id, scores)) return true;
  const Node* add = editor.Producer(id, "Add");
  if (add == nullptr || !editor.HasOneUse(id)) return false;
  for (size_t i = 0; i < 2; ++i) {
    scores = {};
    if (!FindScores(editor, add->inputs[i], scores)) continue;
    const ValueId mask = add->inputs[1 - i];
    const Shape* shape = KnownShape(editor, mask);
    if (shape == nullptr || !shape->empty()) {
      scores.mask = mask;
      return true;
    }
    // The same number for all scores changes no weight.
    const std::optional<double> number = ScalarOf(editor, mask);
    return number.has_value() && std::isfinite(*number);
  }
  return false;
}

bool ShapesFit(const GraphEditor& editor, const Scores& scores, ValueId v, ValueId y) {
  const Shape* q = KnownShape(editor, scores.q);
  const Shape* k = KnownShape(editor, scores.k);
  const Shape* value = KnownShape(editor, v);
  const Shape* out = KnownShape(editor, y);
  if (q == nullptr || k == nullptr || value == nullptr || out == nullptr) return false;
  for (const Shape* shape : {q, k, value, out}) {
    if (shape->size() != 4 || (*shape)[0] != (*q)[0] || (*shape)[1] != (*q)[1]) return false;
  }
  if (scores.mask == kNoValue) return true;
  const Shape* mask = KnownShape(editor, scores.mask);
  if (mask == nullptr || mask->size() > 4 || !IsFloating(editor.value(scores.mask).type)) {
    return false;
  }
  const Shape full{(*q)[0], (*q)[1], (*q)[2], (*k)[3]};
  for (size_t i = 0; i < mask->size(); ++i) {
    const int64_t extent = (*mask)[mask->size() - 1 - i];
    if (extent != 1 && extent != full[3 - i]) return false;
  }
  return true;
}

// k of [B,H,D,N] without its scale, as a value of [B,H,N,D] where a Transpose made it.
struct Keys {
  ValueId k = kNoValue;
  bool transposed = true;
};

Keys KeysOf(GraphEditor& editor, NodeId before, ValueId scaled) {
  double scale = 1;
  const ValueId k = PeelScale(editor, scaled, scale);
  const Node* transpose = editor.Producer(k, "Transpose");
  std::vector<int64_t> order =
      transpose == nullptr ? std::vector<int64_t>() : transpose->Ints("perm");
  if (order.size() != 4) return {Unscaled(editor, before, k), true};
  const ValueId from = transpose->inputs[0];
  const ValueId plain = editor.HasOneUse(k) ? Unscaled(editor, before, from) : from;
  std::swap(order[2], order[3]);
  if (std::is_sorted(order.begin(), order.end())) return {plain, false};
  Node moved = *transpose;
  moved.inputs[0] = plain;
  moved.attributes["perm"] = order;
  Shape shape = *editor.value(k).shape;
  std::swap(shape[2], shape[3]);
  return {editor.InsertBefore(before, std::move(moved), editor.value(k).type, std::move(shape)),
          false};
}

void FuseNode(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if (node.op != "MatMul" || !node.domain.empty() || !editor.HasOneUse(node.inputs[0])) return;
  const Node* softmax = editor.Producer(node.inputs[0], "Softmax");
  if (softmax == nullptr) return;
  const int64_t axis = softmax->Int("axis", -1);
  Scores scores;
  if ((axis != -1 && axis != 3) || !FindMasked(editor, softmax->inputs[0], scores)) return;
  const ValueId v = node.inputs[1];
  if (!ShapesFit(editor, scores, v, node.outputs[0])) return;
  const ValueId q = Unscaled(editor, id, scores.q);
  const Keys keys = KeysOf(editor, id, scores.k);
  Node fused{.op = kFmha,
             .domain = kNereidDomain,
             .name = editor.node(id).name,
             .inputs = {q, keys.k, v},
             .outputs = {},
             .attributes = {{"scale", static_cast<float>(scores.scale)},
                            {"k_transposed", int64_t{keys.transposed}}}};
  if (scores.mask != kNoValue) fused.inputs.push_back(scores.mask);
  editor.Replace(id, std::move(fused));
}

}  // namespace

absl::Status FuseAttention(Graph& graph) {
  RewriteNodes(graph, FuseNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
