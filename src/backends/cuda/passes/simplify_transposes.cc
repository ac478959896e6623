#include "backends/cuda/passes/simplify_transposes.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr std::array<std::string_view, 29> kUnary = {
    "Abs",      "Cast",       "Ceil",        "Clip",      "Cos",       "Elu",     "Erf",  "Exp",
    "Floor",    "Gelu",       "HardSigmoid", "HardSwish", "LeakyRelu", "Log",     "Mish", "Neg",
    "Not",      "Reciprocal", "Relu",        "Round",     "Selu",      "Sigmoid", "Sign", "Sin",
    "Softplus", "Softsign",   "Sqrt",        "Swish",     "Tanh"};
constexpr std::array<std::string_view, 7> kBinary = {"Add", "Div", "Max", "Min",
                                                     "Mul", "Pow", "Sub"};

template <size_t N>
bool Contains(const std::array<std::string_view, N>& names, const Node& node) {
  return node.domain.empty() && std::find(names.begin(), names.end(), node.op) != names.end();
}

std::vector<int64_t> OrderOf(const Node& transpose, size_t rank) {
  std::vector<int64_t> order = transpose.Ints("perm");
  if (!order.empty()) return order;
  order.resize(rank);
  std::iota(order.rbegin(), order.rend(), int64_t{0});
  return order;
}

// Whether the order of extents other than 1 stays.
bool OnlyMovesOnes(const Shape& shape, const std::vector<int64_t>& order) {
  int64_t last = -1;
  for (const int64_t axis : order) {
    if (shape[static_cast<size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

Node MakeTranspose(const Node& like, ValueId x, std::vector<int64_t> order) {
  return Node{.op = "Transpose",
              .domain = {},
              .name = like.name,
              .inputs = {x},
              .outputs = {},
              .attributes = {{"perm", std::move(order)}}};
}

void SimplifyTranspose(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  const Shape* shape = KnownShape(editor, node.inputs[0]);
  if (shape == nullptr) return;
  std::vector<int64_t> order = OrderOf(node, shape->size());
  if (order.size() != shape->size()) return;
  for (int64_t& axis : order) axis += axis < 0 ? static_cast<int64_t>(order.size()) : 0;
  if (std::is_sorted(order.begin(), order.end())) {
    const bool stays = editor.ProducerId(node.inputs[0]) < 0 &&
                       editor.Readers(node.outputs[0]) == std::vector<NodeId>{kGraphOutput};
    if (!stays && editor.UseCount(node.outputs[0]) > 0) {
      editor.ReplaceUses(node.outputs[0], node.inputs[0]);
    }
    return;
  }
  if (const Node* inner = editor.Producer(node.inputs[0], "Transpose"); inner != nullptr) {
    std::vector<int64_t> composed = OrderOf(*inner, shape->size());
    const std::vector<int64_t> first = composed;
    for (size_t i = 0; i < order.size(); ++i) composed[i] = first[static_cast<size_t>(order[i])];
    editor.Replace(id, MakeTranspose(node, inner->inputs[0], std::move(composed)));
    return;
  }
  if (!OnlyMovesOnes(*shape, order)) return;
  const Shape& out = *editor.value(node.outputs[0]).shape;
  const ValueId target = editor.AddConstant(StrCat(node.name, "/shape"), HostTensor::Vector(out));
  const Node& now = editor.node(id);
  editor.Replace(id, Node{.op = "Reshape",
                          .domain = {},
                          .name = now.name,
                          .inputs = {now.inputs[0], target},
                          .outputs = {},
                          .attributes = {{"allowzero", int64_t{1}}}});
}

// op(transpose(x)) → transpose(op(x)); for two operands, where both are transposed alike or one is
// a scalar.
void Sink(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  const bool binary = Contains(kBinary, node);
  const Shape* out = node.HasOutput(0) ? KnownShape(editor, node.outputs[0]) : nullptr;
  if ((!binary && !Contains(kUnary, node)) || out == nullptr) return;
  Node below = node;
  std::vector<int64_t> order;
  Shape shape;
  for (size_t i = 0; i < (binary ? 2u : 1u); ++i) {
    const ValueId input = node.inputs[i];
    if (binary && editor.Constant(input) != nullptr && editor.Constant(input)->is_scalar_like()) {
      const auto& constant_shape = editor.Constant(input)->shape();
      if (constant_shape.size() <= out->size()) continue;
    }
    const Node* transpose = editor.Producer(input, "Transpose");
    if (transpose == nullptr || !editor.HasOneUse(input) || *editor.value(input).shape != *out ||
        KnownShape(editor, transpose->inputs[0]) == nullptr) {
      return;
    }
    std::vector<int64_t> this_order = OrderOf(*transpose, out->size());
    if (!order.empty() && order != this_order) return;
    order = std::move(this_order);
    shape = *editor.value(transpose->inputs[0]).shape;
    below.inputs[i] = transpose->inputs[0];
  }
  if (order.empty()) return;
  const DataType type = editor.value(node.outputs[0]).type;
  const ValueId result = editor.InsertBefore(id, std::move(below), type, std::move(shape));
  editor.Replace(id, MakeTranspose(editor.node(id), result, std::move(order)));
}

}  // namespace

absl::Status SimplifyTransposes(Graph& graph) {
  RewriteNodes(graph, [](GraphEditor& editor, NodeId id) {
    const Node& node = editor.node(id);
    if (node.op == "Transpose" && node.domain.empty()) {
      SimplifyTranspose(editor, id);
    } else {
      Sink(editor, id);
    }
  });
  return absl::OkStatus();
}

}  // namespace nereid::engine
