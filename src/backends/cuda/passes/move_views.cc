#include "backends/cuda/passes/move_views.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr std::array<std::string_view, 4> kReshapes = {"Flatten", "Reshape", "Squeeze",
                                                       "Unsqueeze"};
// What may stand between a product and the view that follows, element by element.
constexpr std::array<std::string_view, 10> kUnary = {
    "Clip", "Elu", "Gelu", "HardSwish", "Mish", "Relu", "Sigmoid", "Softplus", "Tanh", "LeakyRelu"};
constexpr std::array<std::string_view, 4> kBinary = {"Add", "Div", "Mul", "Sub"};

// What may follow a view of an input as well as stand before it.
constexpr std::array<std::string_view, 3> kUnaryOfInputs = {"Cast", "Neg", "Not"};

template <size_t N>
bool IsOneOf(const std::array<std::string_view, N>& names, const Node& node) {
  return node.domain.empty() && std::ranges::find(names, node.op) != names.end();
}

bool IsReshape(const Node* node) { return node != nullptr && IsOneOf(kReshapes, *node); }

Node MakeReshape(GraphEditor& editor, std::string name, ValueId x, const Shape& shape) {
  const ValueId target = editor.AddConstant(StrCat(name, "/shape"), HostTensor::Vector(shape));
  return Node{.op = "Reshape",
              .domain = {},
              .name = std::move(name),
              .inputs = {x, target},
              .outputs = {},
              .attributes = {{"allowzero", int64_t{1}}}};
}

Node MakeTranspose(std::string name, ValueId x, std::vector<int64_t> order) {
  return Node{.op = "Transpose",
              .domain = {},
              .name = std::move(name),
              .inputs = {x},
              .outputs = {},
              .attributes = {{"perm", std::move(order)}}};
}

// The permutation of a Transpose, axes counted from the front; empty when it does not fit.
std::vector<int64_t> OrderOf(const Node& transpose, size_t rank) {
  std::vector<int64_t> order = transpose.Ints("perm");
  if (order.empty()) {
    order.resize(rank);
    std::iota(order.rbegin(), order.rend(), int64_t{0});
  }
  for (int64_t& axis : order) axis += axis < 0 ? static_cast<int64_t>(rank) : 0;
  return order.size() == rank ? order : std::vector<int64_t>();
}

std::vector<int64_t> InverseOf(const std::vector<int64_t>& order) {
  std::vector<int64_t> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    inverse[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  }
  return inverse;
}

Shape Permuted(const Shape& shape, const std::vector<int64_t>& order) {
  Shape permuted;
  for (const int64_t axis : order) permuted.push_back(shape[static_cast<size_t>(axis)]);
  return permuted;
}

// Axes [from_begin, from_end) of a shape that become axes [to_begin, to_end) of another.
struct Group {
  size_t from_begin, from_end, to_begin, to_end;
};

// The finest division of a reshape into independent ones. Empty for shapes without elements.
std::vector<Group> GroupsOf(const Shape& from, const Shape& to) {
  std::vector<Group> groups;
  size_t i = 0, k = 0;
  while (i < from.size() || k < to.size()) {
    Group group{i, i, k, k};
    int64_t a = i < from.size() ? from[i++] : 1, b = k < to.size() ? to[k++] : 1;
    while (a != b) {
      if (a == 0 || b == 0) return {};
      if (a < b) {
        if (i == from.size()) return {};
        a *= from[i++];
      } else {
        if (k == to.size()) return {};
        b *= to[k++];
      }
    }
    if (a == 0) return {};
    group.from_end = i;
    group.to_end = k;
    groups.push_back(group);
  }
  return groups;
}

// A reshape before a transpose that does what a transpose before a reshape does.
struct Commuted {
  Shape shape;
  std::vector<int64_t> order;
};

std::optional<Commuted> Commute(const Shape& x, const std::vector<int64_t>& order,
                                const Shape& to) {
  std::vector<Group> groups = GroupsOf(Permuted(x, order), to);
  if (groups.empty()) return std::nullopt;
  // Where each axis of x is among those of more than one element.
  std::vector<int64_t> place(x.size(), -1);
  for (size_t i = 0, next = 0; i < x.size(); ++i) {
    if (x[i] != 1) place[i] = static_cast<int64_t>(next++);
  }
  std::vector<std::pair<int64_t, size_t>> sequence;  // (place of its first axis, group)
  for (size_t g = 0; g < groups.size(); ++g) {
    int64_t first = -1, last = -1;
    for (size_t i = groups[g].from_begin; i < groups[g].from_end; ++i) {
      const int64_t at = place[static_cast<size_t>(order[i])];
      if (at < 0) continue;
      if (last >= 0 && at != last + 1) return std::nullopt;
      if (first < 0) first = at;
      last = at;
    }
    sequence.emplace_back(first, g);
  }
  std::ranges::stable_sort(sequence);
  Commuted result;
  result.order.resize(to.size());
  for (const auto& [first, g] : sequence) {
    for (size_t k = groups[g].to_begin; k < groups[g].to_end; ++k) {
      result.order[k] = static_cast<int64_t>(result.shape.size());
      result.shape.push_back(to[k]);
    }
  }
  return result;
}

// reshape(transpose(view)) → transpose(reshape(view))
bool MoveAboveTranspose(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  const Node* transpose = editor.Producer(node.inputs[0], "Transpose");
  if (transpose == nullptr || !editor.HasOneUse(node.inputs[0])) return false;
  const ValueId x = transpose->inputs[0];
  const Shape* from = KnownShape(editor, x);
  const Shape* to = KnownShape(editor, node.outputs[0]);
  if (from == nullptr || to == nullptr || !IsReshape(editor.Producer(x))) return false;
  const std::vector<int64_t> order = OrderOf(*transpose, from->size());
  if (order.empty()) return false;
  const auto commuted = Commute(*from, order, *to);
  if (!commuted.has_value()) return false;
  const DataType type = editor.value(x).type;
  Node reshape = MakeReshape(editor, node.name, x, commuted->shape);
  const ValueId y = editor.InsertBefore(id, std::move(reshape), type, commuted->shape);
  editor.Replace(id, MakeTranspose(editor.node(id).name, y, commuted->order));
  return true;
}

bool IsProduct(const GraphEditor& editor, const Node& node) {
  if (!node.domain.empty()) return false;
  if (node.op == "Gemm") return true;
  const Shape* weight = node.op == "MatMul" ? KnownShape(editor, node.inputs[1]) : nullptr;
  return weight != nullptr && weight->size() == 2;
}

// Whether a value broadcasts along the last axis only.
bool IsRow(const GraphEditor& editor, ValueId id, int64_t n) {
  const Shape* shape = KnownShape(editor, id);
  if (shape == nullptr || shape->size() > 1) return false;
  return shape->empty() || shape->back() == n || shape->back() == 1;
}

// The operand that a node computes its result from element by element, rows of constants apart;
// absent for other nodes.
std::optional<size_t> MainOperand(const GraphEditor& editor, const Node& node) {
  const Shape* out = node.HasOutput(0) ? KnownShape(editor, node.outputs[0]) : nullptr;
  if (out == nullptr || out->empty()) return std::nullopt;
  if (IsOneOf(kUnary, node)) return 0;
  if (!IsOneOf(kBinary, node)) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    const Shape* main = KnownShape(editor, node.inputs[i]);
    if (main != nullptr && *main == *out && IsRow(editor, node.inputs[1 - i], out->back())) {
      return i;
    }
  }
  return std::nullopt;
}

// The product that a value comes from through nodes that only it feeds; nullptr when there is none.
const Node* ProductOf(const GraphEditor& editor, ValueId id) {
  for (;;) {
    const Node* node = editor.Producer(id);
    if (node == nullptr || !editor.HasOneUse(id)) return nullptr;
    if (IsProduct(editor, *node)) return node;
    const auto main = MainOperand(editor, *node);
    if (!main.has_value()) return nullptr;
    id = node->inputs[*main];
  }
}

ValueId InsertReshape(GraphEditor& editor, NodeId before, ValueId x, Shape shape) {
  Node reshape = MakeReshape(editor, editor.node(before).name, x, shape);
  return editor.InsertBefore(before, std::move(reshape), editor.value(x).type, std::move(shape));
}

// Puts the product of a reshaped first operand in the place of node `id`, its reshaped result.
bool ReplaceProduct(GraphEditor& editor, NodeId id, const Node& product, const Shape& to) {
  const bool is_gemm = product.op == "Gemm";
  if (is_gemm && (product.Int("transA", 0) != 0 || product.Float("alpha", 1) != 1)) return false;
  const ValueId c = is_gemm && product.HasInput(2) ? product.inputs[2] : kNoValue;
  const Shape* c_shape = KnownShape(editor, c);
  if (c != kNoValue &&
      (product.Float("beta", 1) != 1 || c_shape == nullptr || c_shape->size() > to.size() ||
       !std::all_of(c_shape->begin(), c_shape->end() - !c_shape->empty(),
                    [](int64_t extent) { return extent == 1; }))) {
    return false;
  }
  const Shape* a = KnownShape(editor, product.inputs[0]);
  const Shape* b = KnownShape(editor, product.inputs[1]);
  if (a == nullptr || a->size() < 2 || b == nullptr) return false;
  const DataType type = editor.value(product.inputs[0]).type;
  const Node from = product;
  Shape shape = to;
  shape.back() = a->back();
  ValueId weight = from.inputs[1];
  if (is_gemm && from.Int("transB", 0) != 0) {
    weight = editor.InsertBefore(id, MakeTranspose(from.name, weight, {1, 0}), type,
                                 Shape{(*b)[1], (*b)[0]});
  }
  const ValueId x = InsertReshape(editor, id, from.inputs[0], std::move(shape));
  const auto node = [&from](const char* op, ValueId left, ValueId right) {
    return Node{.op = op,
                .domain = {},
                .name = from.name,
                .inputs = {left, right},
                .outputs = {},
                .attributes = {}};
  };
  if (c == kNoValue) {
    editor.Replace(id, node("MatMul", x, weight));
    return true;
  }
  const ValueId y = editor.InsertBefore(id, node("MatMul", x, weight), type, to);
  editor.Replace(id, node("Add", y, c));
  return true;
}

// Whether something is won: the view meets another before the product, or what is added after it
// meets the product.
bool IsInTheWay(const GraphEditor& editor, const Node& reshape, const Node& product) {
  const ValueId a = product.inputs[0];
  if (IsReshape(editor.Producer(a))) return true;
  const auto& readers = editor.Readers(reshape.outputs[0]);
  return readers.size() == 1 && readers[0] != kGraphOutput &&
         (IsReshape(&editor.node(readers[0])) || editor.node(readers[0]).op == "Add" ||
          editor.node(readers[0]).op == "Transpose");
}

// reshape(f(x · w)) → f(reshape(x) · w), one node at a time
void MoveAboveProduct(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  const ValueId v = node.inputs[0];
  const Shape* from = KnownShape(editor, v);
  const Shape* known = KnownShape(editor, node.outputs[0]);
  if (from == nullptr || known == nullptr || from->empty() || known->size() < 2 ||
      from->back() != known->back() || *from == *known) {
    return;
  }
  const Node* product = ProductOf(editor, v);
  if (product == nullptr || !IsInTheWay(editor, node, *product)) return;
  const Shape to = *known;
  const Node* above = editor.Producer(v);
  if (above == product) {
    ReplaceProduct(editor, id, *product, to);
    return;
  }
  Node moved = *above;
  const size_t main = *MainOperand(editor, moved);
  moved.inputs[main] = InsertReshape(editor, id, moved.inputs[main], to);
  editor.Replace(id, std::move(moved));
}

// reshape(f(x)) → f(reshape(x)), where x is an input or a reshape: f meets what reads the view.
bool MoveAboveUnary(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  const Node* above = editor.Producer(node.inputs[0]);
  if (above == nullptr || !editor.HasOneUse(node.inputs[0]) || !IsOneOf(kUnaryOfInputs, *above)) {
    return false;
  }
  const Shape* to = KnownShape(editor, node.outputs[0]);
  const Node* source = editor.Producer(above->inputs[0]);
  if (to == nullptr || (source != nullptr && !IsReshape(source))) return false;
  Node moved = *above;
  moved.inputs[0] = InsertReshape(editor, id, moved.inputs[0], Shape(*to));
  editor.Replace(id, std::move(moved));
  return true;
}

// Whether a value is a product, or one with its bias, that only its reader has.
bool TakesResidual(const GraphEditor& editor, ValueId id) {
  const Node* node = editor.Producer(id);
  if (node == nullptr || !editor.HasOneUse(id)) return false;
  if (IsProduct(editor, *node)) return true;
  if (!node->domain.empty() || node->op != "Add") return false;
  const auto main = MainOperand(editor, *node);
  const Node* product = main.has_value() ? editor.Producer(node->inputs[*main]) : nullptr;
  return product != nullptr && IsProduct(editor, *product) && editor.HasOneUse(node->inputs[*main]);
}

// transpose(x · w) + r → transpose(x · w + inverse transpose(r))
void MoveBelowSum(GraphEditor& editor, NodeId id) {
  const Node add = editor.node(id);
  const Shape* out = add.HasOutput(0) ? KnownShape(editor, add.outputs[0]) : nullptr;
  if (out == nullptr) return;
  for (size_t i = 0; i < 2; ++i) {
    const ValueId moved = add.inputs[i], other = add.inputs[1 - i];
    const Node* transpose = editor.Producer(moved, "Transpose");
    if (transpose == nullptr || !editor.HasOneUse(moved) || editor.Constant(other) != nullptr) {
      continue;
    }
    const Shape *a = KnownShape(editor, moved), *b = KnownShape(editor, other);
    if (a == nullptr || b == nullptr || *a != *out || *b != *out) continue;
    const ValueId x = transpose->inputs[0];
    // Two products would pass the transposition to each other for ever.
    if (!TakesResidual(editor, x) || ProductOf(editor, other) != nullptr) continue;
    const std::vector<int64_t> order = OrderOf(*transpose, out->size());
    // Rows that are torn apart would have to be copied, here or there.
    if (order.empty() || order.back() + 1 != static_cast<int64_t>(order.size())) continue;
    const std::vector<int64_t> inverse = InverseOf(order);
    const Shape shape = Permuted(*out, inverse);
    const DataType type = editor.value(x).type;
    const ValueId residual =
        editor.InsertBefore(id, MakeTranspose(add.name, other, inverse), type, shape);
    Node sum = add;
    sum.inputs = {x, residual};
    sum.outputs.clear();
    const ValueId y = editor.InsertBefore(id, std::move(sum), type, shape);
    editor.Replace(id, MakeTranspose(add.name, y, order));
    return;
  }
}

void MoveNode(GraphEditor& editor, NodeId id) {
  const Node& node = editor.node(id);
  if (node.domain.empty() && node.op == "Add") return MoveBelowSum(editor, id);
  if (!IsReshape(&node) || !node.HasOutput(0)) return;
  if (MoveAboveTranspose(editor, id) || MoveAboveUnary(editor, id)) return;
  MoveAboveProduct(editor, id);
}

}  // namespace

absl::Status MoveViews(Graph& graph) {
  RewriteNodes(graph, MoveNode);
  return absl::OkStatus();
}

}  // namespace nereid::engine
