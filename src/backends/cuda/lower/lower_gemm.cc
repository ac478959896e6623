#include <algorithm>
#include <limits>
#include <numeric>

#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/lower/lowering.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// A matrix operand [batch, rows, columns] as the library can take it.
struct Matrix {
  Operand operand;
  MatrixLayout layout;
  bool stored_transposed = false;
};

// Splits off batches: [rows, columns] or [batch, rows, columns] by strides. Nothing when neither
// rows nor columns lie side by side.
std::optional<Matrix> MatrixAt(const Lowering& l, const Placement& view) {
  const size_t rank = view.shape.size();
  const int64_t rows = view.shape[rank - 2], columns = view.shape[rank - 1];
  const int64_t row = view.strides[rank - 2], column = view.strides[rank - 1];
  Matrix matrix;
  if ((column == 1 || columns == 1) && (row >= columns || rows == 1)) {
    matrix.layout.row_stride = rows == 1 ? columns : row;
  } else if ((row == 1 || rows == 1) && column >= rows) {
    matrix.layout.row_stride = column;
    matrix.stored_transposed = true;
  } else {
    return std::nullopt;
  }
  if (!Lowering::IsAligned(view)) return std::nullopt;
  if (rank == 3) matrix.layout.batch_stride = view.shape[0] == 1 ? 0 : view.strides[0];
  matrix.operand = l.OperandAt(view);
  return matrix;
}

// The value as a matrix, or as a batch of them, of this shape; a dense copy where its place does
// not allow that.
absl::StatusOr<Matrix> MatrixOf(Lowering& l, ValueId id, DataType type, const Shape& shape) {
  if (l.Constant(id) == nullptr) {
    NEREID_ASSIGN_OR_RETURN(const Placement placement, l.At(id));
    const std::optional<Placement> view = ViewReshaped(placement, shape);
    if (view && placement.type == type) {
      if (auto matrix = MatrixAt(l, *view)) return *matrix;
    }
  }
  Matrix matrix;
  NEREID_ASSIGN_OR_RETURN(matrix.operand, l.In(id, type));
  matrix.layout.row_stride = shape.back();
  if (shape.size() == 3) {
    matrix.layout.batch_stride = shape[0] == 1 ? 0 : shape[1] * shape[2];
  }
  return matrix;
}

struct Problem {
  Shape a, b;  // with vectors made matrices
  bool trans_a = false, trans_b = false;
};

Problem ProblemOf(const Lowering& l, const Node& node) {
  Problem p{l.ShapeOf(node.inputs[0]), l.ShapeOf(node.inputs[1]), node.Int("trans_a", 0) != 0,
            node.Int("trans_b", 0) != 0};
  if (p.a.size() == 1) p.a.insert(p.a.begin(), 1);
  if (p.b.size() == 1) p.b.push_back(1);
  return p;
}

constexpr struct {
  std::string_view name;
  GemmActivation activation;
} kActivations[] = {{"", GemmActivation::kNone},
                    {"GeluTanh", GemmActivation::kGeluTanh},
                    {"Relu", GemmActivation::kRelu}};

absl::StatusOr<GemmSpec> BaseOf(const Lowering& l, const Node& node) {
  GemmSpec spec;
  spec.type = l.Compute(node);
  spec.out_type = l.Storage(node.outputs[0]);
  const bool types_known = IsDeviceFloat(spec.type) && IsDeviceFloat(spec.out_type) &&
                           (spec.out_type == spec.type || spec.out_type == DataType::kFp32);
  if (!types_known) return absl::UnimplementedError("the type");
  spec.tf32 = l.Tf32(node);
  spec.has_bias = node.HasInput(2);
  spec.has_residual = node.HasInput(3);
  spec.alpha = node.Float("alpha", 1);
  const std::string activation = node.String("activation", "");
  for (const auto& row : kActivations) {
    if (row.name == activation) spec.activation = row.activation;
  }
  return spec;
}

// One product, or a batch of equally shaped ones. Weights meet all rows of all batches at once.
absl::StatusOr<bool> LowerStrided(Lowering& l, const Node& node, const Problem& p, GemmSpec spec,
                                  const std::vector<Operand>& extras, Operand out) {
  const auto batch_of = [](const Shape& s) {
    return absl::MakeConstSpan(s).subspan(0, s.size() - 2);
  };
  const int64_t batch_a = ElementsOf(batch_of(p.a)), batch_b = ElementsOf(batch_of(p.b));
  const int64_t a0 = p.a[p.a.size() - 2], a1 = p.a.back();
  const int64_t b0 = p.b[p.b.size() - 2], b1 = p.b.back();
  Shape shape_a, shape_b;
  if (batch_b == 1 && !p.trans_a) {
    shape_a = {batch_a * a0, a1};
    shape_b = {b0, b1};
  } else if (batch_of(p.a) == batch_of(p.b)) {
    shape_a = {batch_a, a0, a1};
    shape_b = {batch_b, b0, b1};
    spec.batch = batch_a;
  } else {
    return false;
  }
  NEREID_ASSIGN_OR_RETURN(const Matrix a, MatrixOf(l, node.inputs[0], spec.type, shape_a));
  NEREID_ASSIGN_OR_RETURN(const Matrix b, MatrixOf(l, node.inputs[1], spec.type, shape_b));
  const size_t rank = shape_a.size();
  spec.m = p.trans_a ? shape_a[rank - 1] : shape_a[rank - 2];
  spec.k = p.trans_a ? shape_a[rank - 2] : shape_a[rank - 1];
  spec.n = p.trans_b ? shape_b[rank - 2] : shape_b[rank - 1];
  spec.a = a.layout;
  spec.b = b.layout;
  spec.transpose_a = p.trans_a != a.stored_transposed;
  spec.transpose_b = p.trans_b != b.stored_transposed;
  spec.b_is_constant = l.IsWeight(b.operand);
  l.Emit(node, spec, {a.operand, b.operand, extras[0], extras[1]}, {out});
  return true;
}

// A result so many times wider than what it is made from is better made in its own order: whoever
// wants it so would copy more.
constexpr int64_t kWiderToCopy = 4;

// The axes of the first operand in the order in which its rows lie, where that is another one than
// that of the graph and one stride reaches them all.
std::optional<std::vector<int64_t>> RowsInMemory(const Lowering& l, const Problem& p,
                                                 const Placement& a, const Shape& y) {
  const size_t rank = a.shape.size();
  const bool one_weight = ElementsOf(p.b) == p.b[p.b.size() - 2] * p.b.back();
  if (p.trans_a || !one_weight || rank < 3 || y.size() != rank) return std::nullopt;
  if (y.back() > kWiderToCopy * a.shape.back()) return std::nullopt;
  const Shape flat{ElementsOf(a.shape) / a.shape.back(), a.shape.back()};
  const auto matrix = [&](const Placement& view) {
    const auto rows = ViewReshaped(view, flat);
    return rows ? MatrixAt(l, *rows) : std::nullopt;
  };
  if (matrix(a)) return std::nullopt;
  std::vector<int64_t> order(rank);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end() - 1, [&](int64_t i, int64_t k) {
    const auto step = [&](int64_t axis) {
      const auto at = static_cast<size_t>(axis);
      return a.shape[at] == 1 ? std::numeric_limits<int64_t>::max() : a.strides[at];
    };
    return step(i) > step(k);
  });
  const auto found = matrix(ViewPermuted(a, order));
  if (!found || found->stored_transposed) return std::nullopt;
  return order;
}

// The value dense in this order of its axes.
absl::StatusOr<Operand> InOrder(Lowering& l, ValueId id, DataType type,
                                const std::vector<int64_t>& order) {
  if (id == kNoValue) return Operand{};
  NEREID_ASSIGN_OR_RETURN(const Placement placement, l.At(id));
  const Placement view = ViewPermuted(placement, order);
  if (view.type == type && IsDense(view) && Lowering::IsAligned(view)) return l.OperandAt(view);
  return l.Copy(view, type, Order::kDense);
}

Operand OutInOrder(Lowering& l, ValueId id, DataType type, const std::vector<int64_t>& order) {
  const Shape& shape = l.ShapeOf(id);
  const Operand out = l.Temporary(static_cast<size_t>(ElementsOf(shape)) * ElementByteSize(type));
  Placement placement{out.buffer, type, 0, shape, std::vector<int64_t>(shape.size())};
  Shape moved;
  for (const int64_t axis : order) moved.push_back(shape[static_cast<size_t>(axis)]);
  const std::vector<int64_t> strides = DenseStrides(moved);
  for (size_t i = 0; i < order.size(); ++i) {
    placement.strides[static_cast<size_t>(order[i])] = strides[i];
  }
  l.Alias(id, std::move(placement));
  return out;
}

// Multiplies the rows where they are: the result has them in the same order. False when that is
// not called for.
absl::StatusOr<bool> LowerInPlace(Lowering& l, const Node& node, const Problem& p, GemmSpec spec) {
  if (l.Constant(node.inputs[0]) != nullptr) return false;
  NEREID_ASSIGN_OR_RETURN(const Placement a, l.At(node.inputs[0]));
  const ValueId y = node.outputs[0];
  const auto order = a.type == spec.type ? RowsInMemory(l, p, a, l.ShapeOf(y)) : std::nullopt;
  if (!order) return false;
  const Shape flat{ElementsOf(a.shape) / a.shape.back(), a.shape.back()};
  const auto rows = MatrixAt(l, *ViewReshaped(ViewPermuted(a, *order), flat));
  const int64_t b0 = p.b[p.b.size() - 2], b1 = p.b.back();
  NEREID_ASSIGN_OR_RETURN(const Matrix b, MatrixOf(l, node.inputs[1], spec.type, {b0, b1}));
  const auto optional = [&](size_t i) { return node.HasInput(i) ? node.inputs[i] : kNoValue; };
  NEREID_ASSIGN_OR_RETURN(const Operand bias, l.In(optional(2), spec.out_type));
  NEREID_ASSIGN_OR_RETURN(const Operand residual, InOrder(l, optional(3), spec.out_type, *order));
  spec.m = flat[0];
  spec.k = flat[1];
  spec.n = p.trans_b ? b0 : b1;
  spec.a = rows->layout;
  spec.b = b.layout;
  spec.transpose_b = p.trans_b != b.stored_transposed;
  spec.b_is_constant = l.IsWeight(b.operand);
  l.Emit(node, spec, {rows->operand, b.operand, bias, residual},
         {OutInOrder(l, y, spec.out_type, *order)});
  return true;
}

absl::Status Gemm(Lowering& l, const Node& node) {
  NEREID_ASSIGN_OR_RETURN(const GemmSpec base, BaseOf(l, node));
  const Problem p = ProblemOf(l, node);
  NEREID_ASSIGN_OR_RETURN(const bool in_place, LowerInPlace(l, node, p, base));
  if (in_place) return absl::OkStatus();
  std::vector<Operand> extras;
  for (const size_t i : {size_t{2}, size_t{3}}) {
    NEREID_ASSIGN_OR_RETURN(const Operand extra,
                            l.In(node.HasInput(i) ? node.inputs[i] : kNoValue, base.out_type));
    extras.push_back(extra);
  }
  const Operand out = l.OutDense(node);
  NEREID_ASSIGN_OR_RETURN(const bool done, LowerStrided(l, node, p, base, extras, out));
  if (done) return absl::OkStatus();
  MatMulSpec spec{base, p.a, p.b};
  spec.base.transpose_a = p.trans_a;
  spec.base.transpose_b = p.trans_b;
  NEREID_ASSIGN_OR_RETURN(const Operand a, l.In(node.inputs[0], base.type));
  NEREID_ASSIGN_OR_RETURN(const Operand b, l.In(node.inputs[1], base.type));
  l.Emit(node, std::move(spec), {a, b, extras[0], extras[1]}, {out});
  return absl::OkStatus();
}

constexpr LowerRow kRows[] = {{"nereid.Gemm", Gemm}};

}  // namespace

absl::Span<const LowerRow> GemmRows() { return kRows; }

}  // namespace nereid::engine
