// Convolutions and pools.

#include <array>

#include "backends/cuda/passes/infer_rules.h"
#include "backends/cuda/passes/kernel_window.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

absl::Span<const int64_t> Spatial(const Shape& shape) {
  return absl::MakeConstSpan(shape).subspan(2);
}

absl::Status ConvLike(InferContext& context, size_t weight_index, DataType type) {
  const Shape* x = context.In(0);
  const Shape* weight = context.In(weight_index);
  if (x == nullptr || weight == nullptr) {
    context.Set(0, type, std::nullopt);
    return absl::OkStatus();
  }
  if (x->size() < 3 || weight->size() != x->size()) {
    return context.Error("input ", ShapeToString(*x), " and weight ", ShapeToString(*weight),
                         " do not fit");
  }
  const int64_t group = context.node.Int("group", 1);
  const int64_t channels = (*weight)[1];
  if (group < 1 || group > kMaxExtent ||
      ((*x)[1] >= 0 && channels >= 0 &&
       static_cast<double>(channels) * static_cast<double>(group) !=
           static_cast<double>((*x)[1]))) {
    return context.Error("input ", ShapeToString(*x), " and weight ", ShapeToString(*weight),
                         " do not fit in ", group, " groups");
  }
  Shape out(x->size(), -1);
  out[0] = (*x)[0];
  out[1] = (*weight)[0];
  std::vector<int64_t> kernel = context.node.Ints("kernel_shape");
  if (kernel.empty()) kernel.assign(weight->begin() + 2, weight->end());
  if (IsKnown(kernel)) {
    NEREID_ASSIGN_OR_RETURN(const KernelWindow window,
                            ReadKernelWindow(context.node, kernel, Spatial(*x)));
    for (size_t i = 2; i < out.size(); ++i) out[i] = window.OutputExtent(i - 2, (*x)[i]);
  }
  context.Set(0, type, std::move(out));
  return absl::OkStatus();
}

absl::Status Conv(InferContext& context) {
  if (const Shape* weight = context.In(1); weight != nullptr && !weight->empty()) {
    NEREID_RETURN_IF_ERROR(context.CheckShape(2, {(*weight)[0]}));
  }
  return ConvLike(context, 1, context.Type(0));
}
absl::Status ConvInteger(InferContext& context) { return ConvLike(context, 1, DataType::kInt32); }
absl::Status QLinearConv(InferContext& context) { return ConvLike(context, 3, context.Type(7)); }

absl::Status ConvTranspose(InferContext& context) {
  const Shape* x = context.In(0);
  const Shape* weight = context.In(1);
  if (x == nullptr || weight == nullptr) {
    context.Set(0, context.Type(0), std::nullopt);
    return absl::OkStatus();
  }
  if (x->size() < 3 || weight->size() != x->size()) return context.Error("the ranks do not fit");
  const size_t count = x->size() - 2;
  Shape out(x->size(), -1);
  out[0] = (*x)[0];
  const int64_t group = context.node.Int("group", 1);
  if (group < 1 || group > kMaxExtent) return context.Error("group is out of range");
  if ((*x)[1] >= 0 && (*weight)[0] >= 0 && ((*x)[1] != (*weight)[0] || (*x)[1] % group != 0)) {
    return context.Error("input ", ShapeToString(*x), " and weight ", ShapeToString(*weight),
                         " do not fit in ", group, " groups");
  }
  NEREID_ASSIGN_OR_RETURN(out[1], MultiplyExtents({(*weight)[1], group}));
  NEREID_RETURN_IF_ERROR(context.CheckShape(2, {out[1]}));
  const std::vector<int64_t> wanted = context.node.Ints("output_shape");
  if (!wanted.empty()) {
    NEREID_ASSIGN_OR_RETURN(const auto extents,
                            context.IntsAttribute("output_shape", wanted.size(), 0));
    if (extents.size() < count) return context.Error("output_shape does not fit");
    for (size_t i = 0; i < count; ++i) out[2 + i] = extents[extents.size() - count + i];
    context.Set(0, context.Type(0), std::move(out));
    return absl::OkStatus();
  }
  std::vector<int64_t> kernel = context.node.Ints("kernel_shape");
  if (kernel.empty()) kernel.assign(weight->begin() + 2, weight->end());
  NEREID_ASSIGN_OR_RETURN(const auto extra, context.IntsAttribute("output_padding", count, 0));
  const std::string automatic = context.node.String("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (IsKnown(kernel)) {
    NEREID_ASSIGN_OR_RETURN(const KernelWindow window,
                            ReadKernelWindow(context.node, kernel, Spatial(*x)));
    for (size_t i = 0; i < count; ++i) {
      const int64_t in = (*x)[2 + i];
      if (in < 0) continue;
      NEREID_ASSIGN_OR_RETURN(const int64_t spread, MultiplyExtents({in, window.strides[i]}));
      const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
      out[2 + i] =
          same ? spread
               : spread - window.strides[i] + extra[i] + reach - window.begin[i] - window.end[i];
    }
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Pool(InferContext& context) {
  const Shape* x = context.In(0);
  if (x == nullptr) {
    context.Set(0, context.Type(0), std::nullopt);
    context.Set(1, DataType::kInt64, std::nullopt);
    return absl::OkStatus();
  }
  if (x->size() < 3) return context.Error("the input has rank ", x->size());
  const std::vector<int64_t> kernel = context.node.Ints("kernel_shape");
  NEREID_ASSIGN_OR_RETURN(const KernelWindow window,
                          ReadKernelWindow(context.node, kernel, Spatial(*x)));
  Shape out = *x;
  for (size_t i = 2; i < out.size(); ++i) out[i] = window.OutputExtent(i - 2, (*x)[i]);
  context.Set(0, context.Type(0), out);
  context.Set(1, DataType::kInt64, out);
  return absl::OkStatus();
}

// (x, w, offsets [N, …, output...], ...)
absl::Status DeformConv(InferContext& context) {
  const Shape* weight = context.In(1);
  const Shape* offsets = context.In(2);
  std::optional<Shape> out;
  if (weight != nullptr && offsets != nullptr && offsets->size() >= 2) {
    out = *offsets;
    (*out)[1] = weight->empty() ? -1 : (*weight)[0];
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// (x, indices, output extents?)
absl::Status MaxUnpool(InferContext& context) {
  const Shape* x = context.In(0);
  std::optional<Shape> out;
  if (const auto given = context.Ints(2); given.has_value()) {
    out = Shape(given->begin(), given->end());
  } else if (x != nullptr && x->size() >= 3) {
    out = *x;
    const std::vector<int64_t> kernel = context.node.Ints("kernel_shape");
    NEREID_ASSIGN_OR_RETURN(const KernelWindow window,
                            ReadKernelWindow(context.node, kernel, Spatial(*x)));
    for (size_t i = 0; i + 2 < x->size(); ++i) {
      const int64_t in = (*x)[2 + i];
      if (in < 0 || context.Has(2)) {
        (*out)[2 + i] = -1;
        continue;
      }
      NEREID_ASSIGN_OR_RETURN(const int64_t spread, MultiplyExtents({in, window.strides[i]}));
      (*out)[2 + i] =
          spread - window.strides[i] + window.kernel[i] - window.begin[i] - window.end[i];
    }
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status GlobalPool(InferContext& context) {
  std::optional<Shape> out;
  if (const Shape* x = context.In(0); x != nullptr) {
    if (x->size() < 2) return context.Error("the input has rank ", x->size());
    out = *x;
    for (size_t i = 2; i < out->size(); ++i) (*out)[i] = 1;
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

constexpr std::array kRows = std::to_array<InferRow>({
    {"AveragePool", Pool, 1},
    {"Conv", Conv, 2},
    {"ConvInteger", ConvInteger, 2},
    {"ConvTranspose", ConvTranspose, 2},
    {"DeformConv", DeformConv, 3},
    {"GlobalAveragePool", GlobalPool, 1},
    {"GlobalLpPool", GlobalPool, 1},
    {"GlobalMaxPool", GlobalPool, 1},
    {"LpPool", Pool, 1},
    {"MaxPool", Pool, 1},
    {"MaxUnpool", MaxUnpool, 2},
    {"QLinearConv", QLinearConv, 8},
    {"nereid.FusedConv", Conv, 2},
});

}  // namespace

absl::Span<const InferRow> WindowShapes() { return kRows; }

}  // namespace nereid::engine
