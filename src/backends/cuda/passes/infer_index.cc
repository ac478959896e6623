// Operators that pick elements: gather, reduce, search.

#include <array>
#include <utility>

#include "backends/cuda/passes/infer_rules.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

absl::Status SetUnknown(InferContext& context, size_t output, DataType type) {
  context.Set(output, type, std::nullopt);
  return absl::OkStatus();
}

absl::Status Gather(InferContext& context) {
  const Shape* data = context.In(0);
  const Shape* indices = context.In(1);
  if (data == nullptr || indices == nullptr) return SetUnknown(context, 0, context.Type(0));
  NEREID_ASSIGN_OR_RETURN(const size_t axis,
                          NormalizeAxis(context.node.Int("axis", 0), data->size()));
  const auto at = data->begin() + static_cast<std::ptrdiff_t>(axis);
  Shape out(data->begin(), at);
  out.insert(out.end(), indices->begin(), indices->end());
  out.insert(out.end(), at + 1, data->end());
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status GatherND(InferContext& context) {
  const Shape* data = context.In(0);
  const Shape* indices = context.In(1);
  if (data == nullptr || indices == nullptr || indices->empty() || indices->back() < 0) {
    return SetUnknown(context, 0, context.Type(0));
  }
  const int64_t batch = context.node.Int("batch_dims", 0);
  const int64_t depth = indices->back();
  if (batch < 0 || batch >= static_cast<int64_t>(indices->size()) ||
      depth > static_cast<int64_t>(data->size()) - batch) {
    return context.Error("indices ", ShapeToString(*indices), " do not fit ", ShapeToString(*data));
  }
  Shape out(indices->begin(), indices->end() - 1);
  out.insert(out.end(), data->begin() + static_cast<std::ptrdiff_t>(batch + depth), data->end());
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Reduce(InferContext& context) {
  const Shape* in = context.In(0);
  const bool keep = context.node.Int("keepdims", 1) != 0;
  const auto axes = context.Ints(1);
  if (in == nullptr) return SetUnknown(context, 0, context.Type(0));
  if (context.Has(1) && !axes.has_value()) {
    context.Set(0, context.Type(0),
                keep ? std::optional<Shape>(Shape(in->size(), -1)) : std::nullopt);
    return absl::OkStatus();
  }
  const bool none = !axes.has_value() || axes->empty();
  if (none && context.node.Int("noop_with_empty_axes", 0) != 0) {
    return LikeFirst(context);
  }
  std::vector<bool> reduced(in->size(), none);
  for (size_t i = 0; !none && i < axes->size(); ++i) {
    NEREID_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis((*axes)[i], in->size()));
    reduced[axis] = true;
  }
  Shape out;
  for (size_t i = 0; i < in->size(); ++i) {
    if (!reduced[i]) {
      out.push_back((*in)[i]);
    } else if (keep) {
      out.push_back(1);
    }
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status ArgReduce(InferContext& context) {
  const Shape* in = context.In(0);
  if (in == nullptr) return SetUnknown(context, 0, DataType::kInt64);
  NEREID_ASSIGN_OR_RETURN(const size_t axis,
                          NormalizeAxis(context.node.Int("axis", 0), in->size()));
  Shape out = *in;
  if (context.node.Int("keepdims", 1) != 0) {
    out[axis] = 1;
  } else {
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  context.Set(0, DataType::kInt64, std::move(out));
  return absl::OkStatus();
}

absl::Status TopK(InferContext& context) {
  std::optional<Shape> out;
  if (const Shape* in = context.In(0); in != nullptr) {
    NEREID_ASSIGN_OR_RETURN(const size_t axis,
                            NormalizeAxis(context.node.Int("axis", -1), in->size()));
    const auto k = context.Ints(1);
    out = *in;
    (*out)[axis] = k.has_value() && k->size() == 1 ? (*k)[0] : -1;
    if ((*out)[axis] < -1 || ((*in)[axis] >= 0 && (*out)[axis] > (*in)[axis])) {
      return context.Error("k is ", (*out)[axis], " of ", (*in)[axis]);
    }
  }
  context.Set(0, context.Type(0), out);
  context.Set(1, DataType::kInt64, out);
  return absl::OkStatus();
}

// (indices, depth, values)
absl::Status OneHot(InferContext& context) {
  const Shape* in = context.In(0);
  NEREID_RETURN_IF_ERROR(context.CheckShape(2, {2}));
  if (in == nullptr) return SetUnknown(context, 0, context.Type(2));
  NEREID_ASSIGN_OR_RETURN(const size_t axis,
                          NormalizeAxis(context.node.Int("axis", -1), in->size() + 1));
  const HostTensor* depth = context.Constant(1);
  Shape out = *in;
  const int64_t extent = depth != nullptr && depth->is_scalar_like() ? depth->AsInt64(0) : -1;
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(axis), extent);
  context.Set(0, context.Type(2), std::move(out));
  return absl::OkStatus();
}

absl::Status NonZero(InferContext& context) {
  const Shape* in = context.In(0);
  context.Set(0, DataType::kInt64,
              Shape{in == nullptr ? -1 : static_cast<int64_t>(in->size()), -1});
  return absl::OkStatus();
}

absl::Status Compress(InferContext& context) {
  const Shape* in = context.In(0);
  if (!context.node.attributes.contains("axis")) {
    context.Set(0, context.Type(0), Shape{-1});
    return absl::OkStatus();
  }
  if (in == nullptr) return SetUnknown(context, 0, context.Type(0));
  NEREID_ASSIGN_OR_RETURN(const size_t axis,
                          NormalizeAxis(context.node.Int("axis", 0), in->size()));
  Shape out = *in;
  out[axis] = -1;
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// (x) → (different slices, first places, which each is, how many of each)
absl::Status Unique(InferContext& context) {
  std::optional<Shape> out = Shape{-1};
  int64_t slices = -1;
  const Shape* in = context.In(0);
  if (context.node.attributes.contains("axis")) {
    out.reset();
    if (in != nullptr) {
      NEREID_ASSIGN_OR_RETURN(const size_t axis,
                              NormalizeAxis(context.node.Int("axis", 0), in->size()));
      out = *in;
      slices = std::exchange((*out)[axis], -1);
    }
  } else if (in != nullptr) {
    NEREID_ASSIGN_OR_RETURN(slices, MultiplyExtents(*in));
  }
  context.Set(0, context.Type(0), std::move(out));
  context.Set(1, DataType::kInt64, Shape{-1});
  context.Set(2, DataType::kInt64, Shape{slices});
  context.Set(3, DataType::kInt64, Shape{-1});
  return absl::OkStatus();
}

absl::Status NonMaxSuppression(InferContext& context) {
  context.Set(0, DataType::kInt64, Shape{-1, 3});
  return absl::OkStatus();
}

// (x [N,C,H,W], rois [R,4], batch)
absl::Status RoiAlign(InferContext& context) {
  const Shape* x = context.In(0);
  const Shape* rois = context.In(1);
  context.Set(0, context.Type(0),
              Shape{rois == nullptr || rois->empty() ? -1 : (*rois)[0],
                    x == nullptr || x->size() < 2 ? -1 : (*x)[1],
                    context.node.Int("output_height", 1), context.node.Int("output_width", 1)});
  return absl::OkStatus();
}

absl::Status GridSample(InferContext& context) {
  const Shape* x = context.In(0);
  const Shape* grid = context.In(1);
  if (x == nullptr || grid == nullptr) return SetUnknown(context, 0, context.Type(0));
  if (x->size() < 3 || grid->size() != x->size()) return context.Error("the ranks do not fit");
  Shape out(x->begin(), x->begin() + 2);
  out.insert(out.end(), grid->begin() + 1, grid->end() - 1);
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

constexpr std::array kRows = std::to_array<InferRow>({
    {"ArgMax", ArgReduce, 1},
    {"ArgMin", ArgReduce, 1},
    {"Compress", Compress, 2},
    {"Gather", Gather, 2},
    {"GatherND", GatherND, 2},
    {"GridSample", GridSample, 2},
    {"NonMaxSuppression", NonMaxSuppression, 2},
    {"NonZero", NonZero, 1},
    {"OneHot", OneHot, 3},
    {"ReduceL1", Reduce, 1},
    {"ReduceL2", Reduce, 1},
    {"ReduceLogSum", Reduce, 1},
    {"ReduceLogSumExp", Reduce, 1},
    {"ReduceMax", Reduce, 1},
    {"ReduceMean", Reduce, 1},
    {"ReduceMin", Reduce, 1},
    {"ReduceProd", Reduce, 1},
    {"ReduceSum", Reduce, 1},
    {"ReduceSumSquare", Reduce, 1},
    {"RoiAlign", RoiAlign, 3},
    {"TopK", TopK, 2},
    {"Unique", Unique, 1},
});

}  // namespace

absl::Span<const InferRow> IndexShapes() { return kRows; }

}  // namespace nereid::engine
