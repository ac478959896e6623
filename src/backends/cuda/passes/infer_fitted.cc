// Operators whose output has the extents of the first input, and whose other operands or axes have
// to fit it: what runs on a device trusts that they do.

#include <array>

#include "backends/cuda/passes/infer_rules.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

absl::Status CheckRank(const InferContext& context, size_t least) {
  const Shape* x = context.In(0);
  if (x == nullptr || x->size() >= least) return absl::OkStatus();
  return context.Error("the input has rank ", x->size(), ", at least ", least, " is needed");
}

// Inputs first … last have one number for each channel.
absl::Status CheckChannels(const InferContext& context, size_t first, size_t last) {
  NEREID_RETURN_IF_ERROR(CheckRank(context, 2));
  const Shape* x = context.In(0);
  for (size_t i = first; x != nullptr && i <= last; ++i) {
    NEREID_RETURN_IF_ERROR(context.CheckShape(i, {(*x)[1]}));
  }
  return absl::OkStatus();
}

absl::Status BatchNormalization(InferContext& context) {
  NEREID_RETURN_IF_ERROR(CheckChannels(context, 1, 4));
  return LikeFirst(context);
}

absl::Status InstanceNormalization(InferContext& context) {
  NEREID_RETURN_IF_ERROR(CheckChannels(context, 1, 2));
  return LikeFirst(context);
}

absl::Status GroupNormalization(InferContext& context) {
  NEREID_RETURN_IF_ERROR(CheckChannels(context, 1, 2));
  const int64_t groups = context.node.Int("num_groups", 0);
  const Shape* x = context.In(0);
  if (groups < 1 || (x != nullptr && (*x)[1] >= 0 && (*x)[1] % groups != 0)) {
    return context.Error("the channels do not make ", groups, " groups");
  }
  return LikeFirst(context);
}

absl::Status AlongAxis(InferContext& context) {
  if (const Shape* x = context.In(0); x != nullptr) {
    NEREID_RETURN_IF_ERROR(NormalizeAxis(context.node.Int("axis", -1), x->size()).status());
  }
  return LikeFirst(context);
}

// (x, lowest?, highest?)
absl::Status Clip(InferContext& context) {
  for (const size_t i : {size_t{1}, size_t{2}}) {
    const Shape* bound = context.In(i);
    if (bound != nullptr && !Fits(*bound, Shape(bound->size(), 1))) {
      return context.Error("bound ", i, " is ", ShapeToString(*bound));
    }
  }
  return LikeFirst(context);
}

// (x, axis)
absl::Status CumSum(InferContext& context) {
  const Shape* x = context.In(0);
  const auto axis = context.Ints(1);
  if (axis && axis->size() != 1) return context.Error("there are ", axis->size(), " axes");
  if (x != nullptr && axis) NEREID_RETURN_IF_ERROR(NormalizeAxis((*axis)[0], x->size()).status());
  return LikeFirst(context);
}

// (x, slope): the slope broadcasts to x.
absl::Status PRelu(InferContext& context) {
  const Shape* x = context.In(0);
  const Shape* slope = context.In(1);
  if (x != nullptr && slope != nullptr && !BroadcastsTo(*slope, *x)) {
    return context.Error("a slope of ", ShapeToString(*slope), " does not broadcast to ",
                         ShapeToString(*x));
  }
  return LikeFirst(context);
}

// (x, gate)
absl::Status SwiGlu(InferContext& context) {
  if (const Shape* x = context.In(0); x != nullptr) {
    NEREID_RETURN_IF_ERROR(context.CheckShape(1, *x));
  }
  return LikeFirst(context);
}

absl::Status Trilu(InferContext& context) {
  NEREID_RETURN_IF_ERROR(CheckRank(context, 2));
  return LikeFirst(context);
}

// Indices reach into the data along one axis, and nowhere else beyond it.
absl::Status CheckIndices(const InferContext& context) {
  const Shape* data = context.In(0);
  const Shape* indices = context.In(1);
  if (data == nullptr || indices == nullptr) return absl::OkStatus();
  NEREID_ASSIGN_OR_RETURN(const size_t axis,
                          NormalizeAxis(context.node.Int("axis", 0), data->size()));
  bool fits = indices->size() == data->size();
  for (size_t d = 0; fits && d < data->size(); ++d) {
    fits = d == axis || (*data)[d] < 0 || (*indices)[d] <= (*data)[d];
  }
  if (fits) return absl::OkStatus();
  return context.Error("indices of ", ShapeToString(*indices), " do not fit data of ",
                       ShapeToString(*data));
}

// (data, indices)
absl::Status GatherElements(InferContext& context) {
  NEREID_RETURN_IF_ERROR(CheckIndices(context));
  context.SetLike(0, 1, context.Type(0));
  return absl::OkStatus();
}

// (data, indices, updates)
absl::Status ScatterElements(InferContext& context) {
  NEREID_RETURN_IF_ERROR(CheckIndices(context));
  if (const Shape* indices = context.In(1); indices != nullptr) {
    NEREID_RETURN_IF_ERROR(context.CheckShape(2, *indices));
  }
  return LikeFirst(context);
}

// (data, indices, updates): each row of indices names a slice of the data.
absl::Status ScatterNd(InferContext& context) {
  const Shape* data = context.In(0);
  const Shape* indices = context.In(1);
  if (data != nullptr && indices != nullptr) {
    if (indices->empty() || indices->back() > static_cast<int64_t>(data->size())) {
      return context.Error("indices of ", ShapeToString(*indices), " do not fit data of ",
                           ShapeToString(*data));
    }
    if (indices->back() >= 0) {
      Shape wanted(indices->begin(), indices->end() - 1);
      wanted.insert(wanted.end(), data->begin() + static_cast<std::ptrdiff_t>(indices->back()),
                    data->end());
      NEREID_RETURN_IF_ERROR(context.CheckShape(2, wanted));
    }
  }
  return LikeFirst(context);
}

constexpr std::array kRows = std::to_array<InferRow>({
    {"BatchNormalization", BatchNormalization, 5},
    {"Clip", Clip, 1},
    {"CumSum", CumSum, 2},
    {"GatherElements", GatherElements, 2},
    {"GroupNormalization", GroupNormalization, 3},
    {"Hardmax", AlongAxis, 1},
    {"InstanceNormalization", InstanceNormalization, 3},
    {"LogSoftmax", AlongAxis, 1},
    {"LpNormalization", AlongAxis, 1},
    {"PRelu", PRelu, 2},
    {"RMSNormalization", AlongAxis, 2},
    {"ScatterElements", ScatterElements, 3},
    {"ScatterND", ScatterNd, 3},
    {"Softmax", AlongAxis, 1},
    {"SwiGLU", SwiGlu, 2},
    {"Trilu", Trilu, 1},
});

}  // namespace

absl::Span<const InferRow> FittedShapes() { return kRows; }

}  // namespace nereid::engine
