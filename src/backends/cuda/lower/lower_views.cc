#include <algorithm>
#include <numeric>

#include "backends/cuda/lower/lowering.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Operators that only say anew where elements lie: no step unless a reader wants them dense.

absl::Status Reshape(Lowering& l, const Node& node) {
  const ValueId from = node.inputs[0], to = node.outputs[0];
  NEREID_ASSIGN_OR_RETURN(Placement placement, l.At(from));
  std::optional<Placement> view = ViewReshaped(placement, l.ShapeOf(to));
  if (!view) {
    NEREID_ASSIGN_OR_RETURN(const Operand dense, l.In(from, placement.type));
    placement.buffer = dense.buffer;
    placement.offset = dense.byte_offset / static_cast<int64_t>(ElementByteSize(placement.type));
    placement.shape = l.ShapeOf(to);
    placement.strides = DenseStrides(placement.shape);
    view = placement;
  }
  l.Alias(to, *std::move(view));
  return absl::OkStatus();
}

absl::Status Transpose(Lowering& l, const Node& node) {
  NEREID_ASSIGN_OR_RETURN(const Placement placement, l.At(node.inputs[0]));
  std::vector<int64_t> permutation = node.Ints("perm");
  if (permutation.empty()) {
    permutation.resize(placement.shape.size());
    std::iota(permutation.rbegin(), permutation.rend(), 0);
  }
  l.Alias(node.outputs[0], ViewPermuted(placement, permutation));
  return absl::OkStatus();
}

absl::Status Expand(Lowering& l, const Node& node) {
  NEREID_ASSIGN_OR_RETURN(const Placement placement, l.At(node.inputs[0]));
  l.Alias(node.outputs[0], ViewExpanded(placement, l.ShapeOf(node.outputs[0])));
  return absl::OkStatus();
}

absl::Status Slice(Lowering& l, const Node& node) {
  NEREID_ASSIGN_OR_RETURN(Placement view, l.At(node.inputs[0]));
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.HasInput(i) && l.ConstantInput(node, i) == nullptr) {
      return absl::UnimplementedError("a slice whose bounds depend on data");
    }
  }
  const std::vector<int64_t> starts = l.ConstantInput(node, 1)->AsInt64Vector();
  std::vector<int64_t> axes(starts.size()), steps(starts.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (const HostTensor* given = l.ConstantInput(node, 3)) axes = given->AsInt64Vector();
  if (const HostTensor* given = l.ConstantInput(node, 4)) steps = given->AsInt64Vector();
  const Shape& out = l.ShapeOf(node.outputs[0]);
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto axis =
        static_cast<size_t>(axes[i] < 0 ? axes[i] + static_cast<int64_t>(out.size()) : axes[i]);
    const int64_t extent = view.shape[axis];
    int64_t start = starts[i] < 0 ? starts[i] + extent : starts[i];
    start = std::clamp<int64_t>(start, 0, steps[i] > 0 ? extent : extent - 1);
    view = ViewSliced(view, axis, start, out[axis], steps[i]);
  }
  l.Alias(node.outputs[0], std::move(view));
  return absl::OkStatus();
}

absl::Status Split(Lowering& l, const Node& node) {
  NEREID_ASSIGN_OR_RETURN(const Placement placement, l.At(node.inputs[0]));
  const AxisSplit split = SplitAt(placement.shape, node.Int("axis", 0));
  if (node.HasInput(1) && l.ConstantInput(node, 1) == nullptr) {
    return absl::UnimplementedError("a split whose parts depend on data");
  }
  std::vector<int64_t> parts;
  if (const HostTensor* given = l.ConstantInput(node, 1)) {
    parts = given->AsInt64Vector();
  } else {
    const auto count = static_cast<int64_t>(node.outputs.size());
    const int64_t part = (split.n + count - 1) / count;
    for (int64_t i = 0; i < count; ++i) parts.push_back(std::min(part, split.n - i * part));
  }
  int64_t start = 0;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.HasOutput(i)) {
      l.Alias(node.outputs[i], ViewSliced(placement, split.axis, start, parts[i], 1));
    }
    start += parts[i];
  }
  return absl::OkStatus();
}

// One row or element, chosen by a constant: a slice.
absl::Status Gather(Lowering& l, const Node& node) {
  const HostTensor* index = l.ConstantInput(node, 1);
  NEREID_ASSIGN_OR_RETURN(const Placement placement, l.At(node.inputs[0]));
  const AxisSplit split = SplitAt(placement.shape, node.Int("axis", 0));
  int64_t at = index->AsInt64(0);
  if (at < 0) at += split.n;
  if (at < 0 || at >= split.n) return absl::UnimplementedError("an index out of range");
  Placement view = ViewSliced(placement, split.axis, at, 1, 1);
  const Shape& out = l.ShapeOf(node.outputs[0]);
  view.strides.erase(view.strides.begin() + static_cast<std::ptrdiff_t>(split.axis));
  const size_t index_rank = index->shape().size();
  view.strides.insert(view.strides.begin() + static_cast<std::ptrdiff_t>(split.axis), index_rank,
                      0);
  view.shape = out;
  l.Alias(node.outputs[0], std::move(view));
  return absl::OkStatus();
}

absl::Status GatherAny(Lowering& l, const Node& node) {
  const HostTensor* index = l.ConstantInput(node, 1);
  if (index != nullptr && index->is_scalar_like() && l.Constant(node.inputs[0]) == nullptr) {
    return Gather(l, node);
  }
  const ValueId y = node.outputs[0];
  const AxisSplit split = SplitAt(l.ShapeOf(node.inputs[0]), node.Int("axis", 0));
  GatherSpec spec{l.Storage(y), l.TypeOf(node.inputs[1]),
                  split.outer,  split.n,
                  split.inner,  ElementsOf(l.ShapeOf(node.inputs[1]))};
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  NEREID_ASSIGN_OR_RETURN(const Operand indices, l.In(node.inputs[1], spec.index_type));
  l.Emit(node, spec, {x, indices}, {l.OutDense(node)});
  return absl::OkStatus();
}

// Blocks of channels become blocks of pixels, or the other way round: a view of a view, copied
// once.
absl::Status Rearrange(Lowering& l, const Node& node, const Shape& parts,
                       const std::vector<int64_t>& permutation) {
  const ValueId from = node.inputs[0], to = node.outputs[0];
  NEREID_ASSIGN_OR_RETURN(Placement placement, l.At(from));
  std::optional<Placement> view = ViewReshaped(placement, parts);
  if (!view) return absl::UnimplementedError("blocks that are no view");
  NEREID_ASSIGN_OR_RETURN(const Operand copy,
                          l.Copy(ViewPermuted(*view, permutation), placement.type, Order::kDense));
  const Shape& shape = l.ShapeOf(to);
  l.Alias(to, Placement{copy.buffer, placement.type, 0, shape, DenseStrides(shape)});
  return absl::OkStatus();
}

absl::Status DepthToSpace(Lowering& l, const Node& node) {
  const Shape& x = l.ShapeOf(node.inputs[0]);
  const int64_t b = node.Int("blocksize", 1);
  const int64_t c = x[1] / (b * b);
  if (node.String("mode", "DCR") == "CRD") {
    return Rearrange(l, node, {x[0], c, b, b, x[2], x[3]}, {0, 1, 4, 2, 5, 3});
  }
  return Rearrange(l, node, {x[0], b, b, c, x[2], x[3]}, {0, 3, 4, 1, 5, 2});
}

absl::Status SpaceToDepth(Lowering& l, const Node& node) {
  const Shape& x = l.ShapeOf(node.inputs[0]);
  const int64_t b = node.Int("blocksize", 1);
  if (node.String("mode", "DCR") == "CRD") {
    return Rearrange(l, node, {x[0], x[1], x[2] / b, b, x[3] / b, b}, {0, 1, 3, 5, 2, 4});
  }
  return Rearrange(l, node, {x[0], x[1], x[2] / b, b, x[3] / b, b}, {0, 3, 5, 1, 2, 4});
}

constexpr LowerRow kRows[] = {
    {"DepthToSpace", DepthToSpace},
    {"Expand", Expand},
    {"Flatten", Reshape},
    {"Gather", GatherAny},
    {"Identity", Reshape},
    {"Reshape", Reshape},
    {"Slice", Slice},
    {"SpaceToDepth", SpaceToDepth},
    {"Split", Split},
    {"Squeeze", Reshape},
    {"Transpose", Transpose},
    {"Unsqueeze", Reshape},
};

}  // namespace

absl::Span<const LowerRow> ViewRows() { return kRows; }

}  // namespace nereid::engine
