// Operators that arrange elements anew: reshape, transpose, join, cut, repeat.

#include <algorithm>
#include <array>
#include <cmath>

#include "backends/cuda/passes/infer_rules.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

std::optional<Shape> UnknownOf(std::optional<size_t> rank) {
  if (!rank.has_value()) return std::nullopt;
  return Shape(*rank, -1);
}

// The number of elements of a vector input, where known.
std::optional<size_t> LengthOf(const InferContext& context, size_t i) {
  const Shape* shape = context.In(i);
  if (shape == nullptr || shape->size() != 1 || (*shape)[0] < 0 || (*shape)[0] > 64) {
    return std::nullopt;
  }
  return static_cast<size_t>((*shape)[0]);
}

absl::Status CheckExtents(absl::Span<const int64_t> extents, int64_t least) {
  for (const int64_t extent : extents) {
    if (extent < least || extent > kMaxExtent) {
      return InferContext::Error("extent ", extent, " is out of range");
    }
  }
  return absl::OkStatus();
}

absl::Status Reshape(InferContext& context) {
  const auto target = context.Ints(1);
  if (!target.has_value()) {
    context.Set(0, context.Type(0), UnknownOf(LengthOf(context, 1)));
    return absl::OkStatus();
  }
  NEREID_RETURN_IF_ERROR(CheckExtents(*target, -1));
  const Shape* in = context.In(0);
  const bool zero_is_zero = context.node.Int("allowzero", 0) != 0;
  Shape out(target->begin(), target->end());
  std::optional<size_t> open;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] == 0 && !zero_is_zero) {
      if (in != nullptr && i >= in->size()) return context.Error("extent ", i, " cannot be kept");
      out[i] = in == nullptr ? -1 : (*in)[i];
    } else if (out[i] == -1) {
      if (open.has_value()) return context.Error("two extents are to be found out");
      open = i;
    }
  }
  if (in == nullptr) {
    context.Set(0, context.Type(0), std::move(out));
    return absl::OkStatus();
  }
  NEREID_ASSIGN_OR_RETURN(const int64_t count, MultiplyExtents(*in));
  Shape rest = out;
  if (open.has_value()) rest[*open] = 1;
  NEREID_ASSIGN_OR_RETURN(const int64_t known, MultiplyExtents(rest));
  if (count >= 0 && known >= 0) {
    const bool fits = open.has_value() ? known != 0 && count % known == 0 : count == known;
    if (!fits && !(open.has_value() && count == 0 && known == 0)) {
      return context.Error("shape ", ShapeToString(*in), " does not become ",
                           ShapeToString(*target));
    }
    if (open.has_value()) out[*open] = known == 0 ? 0 : count / known;
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Flatten(InferContext& context) {
  std::optional<Shape> out = Shape{-1, -1};
  if (const Shape* in = context.In(0); in != nullptr) {
    const auto rank = static_cast<int64_t>(in->size());
    int64_t axis = context.node.Int("axis", 1);
    if (axis < -rank || axis > rank) return context.Error("axis ", axis, " is out of range");
    if (axis < 0) axis += rank;
    const absl::Span<const int64_t> all(*in);
    NEREID_ASSIGN_OR_RETURN(const int64_t first,
                            MultiplyExtents(all.subspan(0, static_cast<size_t>(axis))));
    NEREID_ASSIGN_OR_RETURN(const int64_t second,
                            MultiplyExtents(all.subspan(static_cast<size_t>(axis))));
    out = Shape{first, second};
  }
  context.Set(0, context.Type(0), out);
  return absl::OkStatus();
}

absl::Status Transpose(InferContext& context) {
  const Shape* in = context.In(0);
  std::vector<int64_t> order = context.node.Ints("perm");
  if (in == nullptr) {
    context.Set(0, context.Type(0),
                UnknownOf(order.empty() ? std::nullopt : std::optional(order.size())));
    return absl::OkStatus();
  }
  Shape out(in->rbegin(), in->rend());
  if (!order.empty() || in->empty()) {
    if (order.size() != in->size()) return context.Error("perm does not fit the rank");
    std::vector<bool> seen(order.size(), false);
    for (size_t i = 0; i < order.size(); ++i) {
      NEREID_ASSIGN_OR_RETURN(const size_t from, NormalizeAxis(order[i], in->size()));
      if (seen[from]) return context.Error("perm names an axis twice");
      seen[from] = true;
      out[i] = (*in)[from];
    }
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Concat(InferContext& context) {
  std::optional<Shape> out;
  size_t axis = 0;
  for (size_t i = 0; i < context.node.inputs.size(); ++i) {
    const Shape* in = context.In(i);
    if (in == nullptr) {
      context.Set(0, context.Type(0), std::nullopt);
      return absl::OkStatus();
    }
    if (!out.has_value()) {
      NEREID_ASSIGN_OR_RETURN(axis, NormalizeAxis(context.node.Int("axis", 0), in->size()));
      out = *in;
      continue;
    }
    if (in->size() != out->size()) return context.Error("the inputs differ in rank");
    for (size_t d = 0; d < in->size(); ++d) {
      int64_t& extent = (*out)[d];
      const int64_t other = (*in)[d];
      if (d == axis) {
        extent = extent < 0 || other < 0 ? -1 : extent + other;
      } else if (extent == -1) {
        extent = other;
      } else if (other != -1 && other != extent) {
        return context.Error("the inputs differ in extent ", d, ": ", extent, " and ", other);
      }
    }
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status SetUnknownOutputs(InferContext& context, std::optional<size_t> rank) {
  for (size_t i = 0; i < context.node.outputs.size(); ++i) {
    context.Set(i, context.Type(0), UnknownOf(rank));
  }
  return absl::OkStatus();
}

absl::Status Split(InferContext& context) {
  const Shape* in = context.In(0);
  if (in == nullptr) return SetUnknownOutputs(context, std::nullopt);
  NEREID_ASSIGN_OR_RETURN(const size_t axis,
                          NormalizeAxis(context.node.Int("axis", 0), in->size()));
  const size_t count = context.node.outputs.size();
  const int64_t extent = (*in)[axis];
  std::vector<int64_t> parts(count, -1);
  if (context.Has(1)) {
    if (const auto given = context.Ints(1); given.has_value()) {
      if (given->size() != count) return context.Error("there are ", count, " outputs");
      NEREID_RETURN_IF_ERROR(CheckExtents(*given, 0));
      int64_t sum = 0;
      for (const int64_t part : *given) sum += part;
      if (extent >= 0 && sum != extent) return context.Error("the parts do not add up to ", extent);
      parts = *given;
    }
  } else if (extent >= 0 && count > 0) {
    const auto number = static_cast<int64_t>(count);
    const int64_t each = (extent + number - 1) / number;
    for (size_t i = 0; i < count; ++i) {
      parts[i] = std::clamp<int64_t>(extent - each * static_cast<int64_t>(i), 0, each);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    Shape out = *in;
    out[axis] = parts[i];
    context.Set(i, context.Type(0), std::move(out));
  }
  return absl::OkStatus();
}

// Elements that a slice of an axis takes.
absl::StatusOr<int64_t> SliceLength(int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (step == 0) return InferContext::Error("a step is 0");
  const auto place = [extent](int64_t at, int64_t low, int64_t high) {
    if (at < 0) at = at < -extent ? low : at + extent;
    return std::clamp(at, low, high);
  };
  if (step > 0) {
    const int64_t from = place(start, 0, extent);
    const int64_t to = place(end, 0, extent);
    return to <= from ? 0 : (to - from - 1) / step + 1;
  }
  const int64_t from = place(start, -1, extent - 1);
  const int64_t to = place(end, -1, extent - 1);
  // step may be the least number, which has no negative.
  return from <= to ? 0 : (from - to - 1) / (step == INT64_MIN ? INT64_MAX : -step) + 1;
}

absl::Status Slice(InferContext& context) {
  const Shape* in = context.In(0);
  if (in == nullptr) return SetUnknownOutputs(context, std::nullopt);
  const auto starts = context.Ints(1);
  const auto ends = context.Ints(2);
  const auto axes = context.Ints(3);
  const auto steps = context.Ints(4);
  if ((context.Has(3) && !axes.has_value()) ||
      (!axes.has_value() && !LengthOf(context, 1).has_value())) {
    return SetUnknownOutputs(context, in->size());
  }
  const size_t count = axes.has_value() ? axes->size() : *LengthOf(context, 1);
  const bool known = starts.has_value() && ends.has_value() && (!context.Has(4) || steps);
  if (known && (starts->size() != count || ends->size() != count ||
                (steps.has_value() && steps->size() != count))) {
    return context.Error("starts, ends, axes and steps differ in length");
  }
  Shape out = *in;
  for (size_t i = 0; i < count; ++i) {
    NEREID_ASSIGN_OR_RETURN(
        const size_t axis,
        NormalizeAxis(axes.has_value() ? (*axes)[i] : static_cast<int64_t>(i), in->size()));
    if (!known || (*in)[axis] < 0) {
      out[axis] = -1;
      continue;
    }
    NEREID_ASSIGN_OR_RETURN(out[axis], SliceLength((*in)[axis], (*starts)[i], (*ends)[i],
                                                   steps.has_value() ? (*steps)[i] : 1));
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Squeeze(InferContext& context) {
  const Shape* in = context.In(0);
  const auto axes = context.Ints(1);
  if (in == nullptr || (context.Has(1) && !axes.has_value())) {
    return SetUnknownOutputs(context, std::nullopt);
  }
  std::vector<bool> gone(in->size(), false);
  if (!axes.has_value()) {
    if (!IsKnown(*in)) return SetUnknownOutputs(context, std::nullopt);
    for (size_t i = 0; i < in->size(); ++i) gone[i] = (*in)[i] == 1;
  } else {
    for (const int64_t a : *axes) {
      NEREID_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(a, in->size()));
      if ((*in)[axis] > 1 || (*in)[axis] == 0) {
        return context.Error("extent ", axis, " is ", (*in)[axis], ", not 1");
      }
      gone[axis] = true;
    }
  }
  Shape out;
  for (size_t i = 0; i < in->size(); ++i) {
    if (!gone[i]) out.push_back((*in)[i]);
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Unsqueeze(InferContext& context) {
  const Shape* in = context.In(0);
  const auto axes = context.Ints(1);
  if (in == nullptr || !axes.has_value()) return SetUnknownOutputs(context, std::nullopt);
  if (axes->size() > 64) return context.Error("there are too many axes");
  const size_t rank = in->size() + axes->size();
  std::vector<bool> inserted(rank, false);
  for (const int64_t a : *axes) {
    NEREID_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(a, rank));
    if (inserted[axis]) return context.Error("axis ", axis, " is named twice");
    inserted[axis] = true;
  }
  Shape out;
  auto next = in->begin();
  for (size_t i = 0; i < rank; ++i) out.push_back(inserted[i] ? 1 : *next++);
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Expand(InferContext& context) {
  const auto target = context.Ints(1);
  const Shape* in = context.In(0);
  if (!target.has_value() || in == nullptr) return SetUnknownOutputs(context, std::nullopt);
  NEREID_RETURN_IF_ERROR(CheckExtents(*target, 0));
  NEREID_ASSIGN_OR_RETURN(Shape out, Broadcast(*in, *target));
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Tile(InferContext& context) {
  const Shape* in = context.In(0);
  const auto repeats = context.Ints(1);
  if (in == nullptr) return SetUnknownOutputs(context, std::nullopt);
  if (!repeats.has_value()) return SetUnknownOutputs(context, in->size());
  if (repeats->size() != in->size()) return context.Error("repeats do not fit the rank");
  NEREID_RETURN_IF_ERROR(CheckExtents(*repeats, 0));
  Shape out;
  for (size_t i = 0; i < in->size(); ++i) {
    NEREID_ASSIGN_OR_RETURN(const int64_t extent, MultiplyExtents({(*in)[i], (*repeats)[i]}));
    out.push_back(extent);
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status Pad(InferContext& context) {
  const Shape* in = context.In(0);
  if (in == nullptr) return SetUnknownOutputs(context, std::nullopt);
  const auto pads = context.Ints(1);
  const auto axes = context.Ints(3);
  if (!pads.has_value() || (context.Has(3) && !axes.has_value())) {
    return SetUnknownOutputs(context, in->size());
  }
  NEREID_RETURN_IF_ERROR(CheckExtents(*pads, -kMaxExtent));
  const size_t count = axes.has_value() ? axes->size() : in->size();
  if (pads->size() != 2 * count) return context.Error("pads do not fit the axes");
  Shape out = *in;
  for (size_t i = 0; i < count; ++i) {
    NEREID_ASSIGN_OR_RETURN(
        const size_t axis,
        NormalizeAxis(axes.has_value() ? (*axes)[i] : static_cast<int64_t>(i), in->size()));
    if (out[axis] < 0) continue;
    out[axis] += (*pads)[i] + (*pads)[i + count];
    if (out[axis] < 0) return context.Error("extent ", axis, " would be negative");
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// (x, extents along `axes`)
absl::Status CenterCropPad(InferContext& context) {
  const Shape* in = context.In(0);
  if (in == nullptr) return SetUnknownOutputs(context, std::nullopt);
  const auto extents = context.Ints(1);
  const std::vector<int64_t> axes = context.node.Ints("axes");
  const size_t count = axes.empty() ? in->size() : axes.size();
  if (extents.has_value()) NEREID_RETURN_IF_ERROR(CheckExtents(*extents, 0));
  if (extents.has_value() && extents->size() != count) return context.Error("shape does not fit");
  Shape out = *in;
  for (size_t i = 0; i < count; ++i) {
    NEREID_ASSIGN_OR_RETURN(
        const size_t axis,
        NormalizeAxis(axes.empty() ? static_cast<int64_t>(i) : axes[i], in->size()));
    out[axis] = extents.has_value() ? (*extents)[i] : -1;
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// (x, roi?, scales?, sizes?)
absl::Status Resize(InferContext& context) {
  const Shape* in = context.In(0);
  if (in == nullptr) return SetUnknownOutputs(context, std::nullopt);
  const size_t rank = in->size();
  std::vector<int64_t> axes = context.node.Ints("axes");
  if (axes.empty()) {
    for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  }
  const auto sizes = context.Ints(3);
  const HostTensor* scales = context.Constant(2);
  Shape out = *in;
  if (!sizes.has_value() && scales == nullptr) {
    for (const int64_t a : axes) {
      NEREID_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(a, rank));
      out[axis] = -1;
    }
    context.Set(0, context.Type(0), std::move(out));
    return absl::OkStatus();
  }
  const size_t given =
      sizes.has_value() ? sizes->size() : static_cast<size_t>(scales->element_count());
  if (given != axes.size()) return context.Error("scales or sizes do not fit the axes");
  const std::string policy = context.node.String("keep_aspect_ratio_policy", "stretch");
  double common = policy == "not_larger" ? INFINITY : 0;
  if (sizes.has_value() && policy != "stretch") {
    for (size_t i = 0; i < axes.size(); ++i) {
      NEREID_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(axes[i], rank));
      const double scale = static_cast<double>((*sizes)[i]) / static_cast<double>((*in)[axis]);
      common = policy == "not_larger" ? std::min(common, scale) : std::max(common, scale);
    }
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    NEREID_ASSIGN_OR_RETURN(const size_t axis, NormalizeAxis(axes[i], rank));
    if (sizes.has_value() && policy == "stretch") {
      out[axis] = (*sizes)[i];
    } else if ((*in)[axis] >= 0) {
      const auto extent = static_cast<double>((*in)[axis]);
      const double wanted = sizes.has_value()
                                ? std::round(extent * common)
                                : std::floor(extent * scales->AsDouble(static_cast<int64_t>(i)));
      if (!(wanted >= 0 && wanted <= static_cast<double>(kMaxExtent))) {
        return context.Error("a scale is out of range");
      }
      out[axis] = static_cast<int64_t>(wanted);
    }
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// [N, C, H, W] with blocks of b × b moved between channels and space.
absl::Status MoveBlocks(InferContext& context, bool into_space) {
  const Shape* in = context.In(0);
  if (in == nullptr) return SetUnknownOutputs(context, 4);
  const int64_t block = context.node.Int("blocksize", 0);
  if (in->size() != 4) return context.Error("the input does not have rank 4");
  if (block < 1 || block > 4096) return context.Error("blocksize ", block, " is out of range");
  const int64_t area = block * block;
  const bool fits = into_space ? (*in)[1] < 0 || (*in)[1] % area == 0
                               : ((*in)[2] < 0 || (*in)[2] % block == 0) &&
                                     ((*in)[3] < 0 || (*in)[3] % block == 0);
  if (!fits) return context.Error("the blocks do not fit ", ShapeToString(*in));
  const auto times = [](int64_t extent, int64_t n) { return extent < 0 ? -1 : extent * n; };
  const auto parts = [](int64_t extent, int64_t n) { return extent < 0 ? -1 : extent / n; };
  Shape out = *in;
  out[1] = into_space ? parts((*in)[1], area) : times((*in)[1], area);
  for (size_t i = 2; i < 4; ++i) {
    out[i] = into_space ? times((*in)[i], block) : parts((*in)[i], block);
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

absl::Status DepthToSpace(InferContext& context) { return MoveBlocks(context, true); }
absl::Status SpaceToDepth(InferContext& context) { return MoveBlocks(context, false); }

constexpr std::array kRows = std::to_array<InferRow>({
    {"CenterCropPad", CenterCropPad, 2},
    {"Concat", Concat, 1},
    {"DepthToSpace", DepthToSpace, 1},
    {"Expand", Expand, 2},
    {"Flatten", Flatten, 1},
    {"Pad", Pad, 2},
    {"Reshape", Reshape, 2},
    {"Resize", Resize, 1},
    {"Slice", Slice, 3},
    {"SpaceToDepth", SpaceToDepth, 1},
    {"Split", Split, 1},
    {"Squeeze", Squeeze, 1},
    {"Tile", Tile, 2},
    {"Transpose", Transpose, 1},
    {"Unsqueeze", Unsqueeze, 2},
});

}  // namespace

absl::Span<const InferRow> LayoutShapes() { return kRows; }

}  // namespace nereid::engine
