#include "backends/cuda/passes/fuse_attention.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Steps over multiplications by a number that nothing else reads.
ValueId PeelScale(const GraphEditor& editor, ValueId id, double& scale) {
  for (;;) {
    const Node* node = editor.Producer(id);
    if (node == nullptr || !node->domain.empty() || !editor.HasOneUse(id)) return id;
    const bool divides = node->op == "Div";
    if (!divides && node->op != "Mul") return id;
    const auto parts = SplitScalar(editor, *node);
    if (!parts.has_value() || (divides && parts->first != node->inputs[0])) return id;
    scale *= divides ? 1 / parts->second : parts->second;
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
  scores.q = PeelScale(editor, product->inputs[0], scores.scale);
  scores.k = PeelScale(editor, product->inputs[1], scores.scale);
  return true;
}

bool FindMasked(const GraphEditor& editor, ValueId id, Scores& scores) {
  if (FindScores(editor, id, scores)) return true;
  const Node* add = editor.Producer(id, "Add");
  if (add == nullptr || !editor.HasOneUse(id)) return false;
  for (size_t i = 0; i < 2; ++i) {
    scores = {};
    if (!FindScores(editor, add->inputs[i], scores)) continue;
    scores.mask = add->inputs[1 - i];
    return true;
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

// A value of [B,H,N,D] for k of [B,H,D,N], where a Transpose made the latter; else kNoValue.
ValueId Untransposed(GraphEditor& editor, NodeId before, ValueId k) {
  const Node* transpose = editor.Producer(k, "Transpose");
  if (transpose == nullptr) return kNoValue;
  std::vector<int64_t> order = transpose->Ints("perm");
  if (order.size() != 4) return kNoValue;
  std::swap(order[2], order[3]);
  if (std::is_sorted(order.begin(), order.end())) return transpose->inputs[0];
  Node moved = *transpose;
  moved.attributes["perm"] = order;
  Shape shape = *editor.value(k).shape;
  std::swap(shape[2], shape[3]);
  return editor.InsertBefore(before, std::move(moved), editor.value(k).type, std::move(shape));
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
  const ValueId plain_k = Untransposed(editor, id, scores.k);
  Node fused{.op = kFmha,
             .domain = kNereidDomain,
             .name = editor.node(id).name,
             .inputs = {scores.q, plain_k == kNoValue ? scores.k : plain_k, v},
             .outputs = {},
             .attributes = {{"scale", static_cast<float>(scores.scale)},
                            {"k_transposed", int64_t{plain_k == kNoValue}}}};
  if (scores.mask != kNoValue) fused.inputs.push_back(scores.mask);
  editor.Replace(id, std::move(fused));
}

}  // namespace

absl::Status FuseAttention(Graph& graph) {
  RewriteNodes(graph, FuseNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
