#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/lower/lowering.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

constexpr int64_t kMostHeadElements = 128;

struct Rows {
  Operand operand;
  AttentionStrides strides;
};

// Whether the kernel reads rows 16 bytes at a time, given the chance.
bool ReadsVectors(const AttentionSpec& spec) {
  const auto whole = [&](int64_t elements) {
    return elements * static_cast<int64_t>(ElementByteSize(spec.type)) % kOperandAlignment == 0;
  };
  return spec.type != DataType::kFp32 && whole(spec.head_dim) && whole(spec.value_dim);
}

// [batch, heads, rows, elements] with the elements of a row side by side, wherever the rows are;
// copied where they are not, or off the boundaries that vectors need.
absl::StatusOr<Rows> RowsOf(Lowering& l, const Placement& view, const AttentionSpec& spec) {
  const DataType type = spec.type;
  const auto size = static_cast<int64_t>(ElementByteSize(type));
  bool fits = view.type == type && (view.strides[3] == 1 || view.shape[3] == 1);
  bool aligned = Lowering::IsAligned(view);
  for (size_t i = 0; i < 3; ++i) {
    if (view.shape[i] > 1 && view.strides[i] * size % kOperandAlignment != 0) aligned = false;
  }
  fits = fits && (aligned || !ReadsVectors(spec));
  if (!fits) {
    NEREID_ASSIGN_OR_RETURN(const Operand copy, l.Copy(view, type, Order::kDense));
    const std::vector<int64_t> dense = DenseStrides(view.shape);
    return Rows{copy, {dense[0], dense[1], dense[2]}};
  }
  return Rows{l.OperandAt(view), {view.strides[0], view.strides[1], view.strides[2]}};
}

// The result, laid out as [batch, rows, heads, elements]: what the projection after it reads.
Operand Result(Lowering& l, const Node& node, DataType type, AttentionStrides& strides) {
  const ValueId y = node.outputs[0];
  const Shape& s = l.ShapeOf(y);
  const Operand out = l.Temporary(static_cast<size_t>(ElementsOf(s)) * ElementByteSize(type));
  strides = {s[2] * s[1] * s[3], s[3], s[1] * s[3]};
  l.Alias(y, Placement{out.buffer, type, 0, s, {strides.batch, strides.head, strides.row, 1}});
  return out;
}

absl::Status ReadMask(Lowering& l, const Node& node, AttentionSpec& spec, Operand& operand) {
  if (!node.HasInput(3)) return absl::OkStatus();
  NEREID_ASSIGN_OR_RETURN(Placement mask, l.At(node.inputs[3]));
  spec.has_mask = true;
  if (mask.type != spec.type && mask.type != DataType::kBool && mask.type != DataType::kFp32) {
    return absl::UnimplementedError("the type of the mask");
  }
  if (!Lowering::IsAligned(mask)) {
    NEREID_ASSIGN_OR_RETURN(operand, l.In(node.inputs[3], mask.type));
    mask.strides = DenseStrides(mask.shape);
  } else {
    operand = l.OperandAt(mask);
  }
  spec.mask_type = mask.type;
  const Placement spread = ViewExpanded(mask, {spec.batch, spec.heads, spec.queries, spec.keys});
  for (size_t i = 0; i < 4; ++i) spec.mask_strides[i] = spread.strides[i];
  return absl::OkStatus();
}

absl::Status Fmha(Lowering& l, const Node& node) {
  const Shape &q = l.ShapeOf(node.inputs[0]), &y = l.ShapeOf(node.outputs[0]);
  const Shape& v = l.ShapeOf(node.inputs[2]);
  AttentionSpec spec;
  spec.type = l.Compute(node);
  if (!IsDeviceFloat(spec.type) || q[3] > kMostHeadElements || v[3] > kMostHeadElements) {
    return absl::UnimplementedError("the type or the size of a head");
  }
  spec.batch = q[0];
  spec.heads = q[1];
  spec.kv_heads = v[1];
  spec.queries = q[2];
  spec.keys = v[2];
  spec.head_dim = q[3];
  spec.value_dim = y[3];
  spec.scale = node.Float("scale", 1);
  NEREID_ASSIGN_OR_RETURN(const Placement at_q, l.At(node.inputs[0]));
  NEREID_ASSIGN_OR_RETURN(Placement at_k, l.At(node.inputs[1]));
  NEREID_ASSIGN_OR_RETURN(const Placement at_v, l.At(node.inputs[2]));
  if (node.Int("k_transposed", 0) != 0) at_k = ViewPermuted(at_k, {0, 1, 3, 2});
  Operand mask;
  NEREID_RETURN_IF_ERROR(ReadMask(l, node, spec, mask));
  NEREID_ASSIGN_OR_RETURN(const Rows rows_q, RowsOf(l, at_q, spec));
  NEREID_ASSIGN_OR_RETURN(const Rows rows_k, RowsOf(l, at_k, spec));
  NEREID_ASSIGN_OR_RETURN(const Rows rows_v, RowsOf(l, at_v, spec));
  spec.q = rows_q.strides;
  spec.k = rows_k.strides;
  spec.v = rows_v.strides;
  const Operand out = Result(l, node, spec.type, spec.y);
  l.Emit(node, spec, {rows_q.operand, rows_k.operand, rows_v.operand, mask}, {out});
  return absl::OkStatus();
}

constexpr LowerRow kRows[] = {{"nereid.FMHA", Fmha}};

}  // namespace

absl::Span<const LowerRow> AttentionRows() { return kRows; }

}  // namespace nereid::engine
