#include <algorithm>
#include <iterator>

#include "backends/cuda/lower/lowering.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// The shape, and an axis of it, as they lie in memory.
Shape InMemory(const Shape& shape, Order order) {
  Shape moved = shape;
  if (order == Order::kChannelsLast) std::rotate(moved.begin() + 1, moved.begin() + 2, moved.end());
  return moved;
}

int64_t InMemory(int64_t axis, size_t rank, Order order) {
  if (order == Order::kDense || axis == 0) return axis;
  return axis == 1 ? static_cast<int64_t>(rank) - 1 : axis - 1;
}

absl::Status Concat(Lowering& l, const Node& node) {
  const ValueId y = node.outputs[0];
  const Shape& shape = l.ShapeOf(y);
  const Order order = l.WantsChannelsLast(y) ? Order::kChannelsLast : Order::kDense;
  ConcatSpec spec;
  spec.type = l.Storage(y);
  spec.axis =
      InMemory(static_cast<int64_t>(SplitAt(shape, node.Int("axis", 0)).axis), shape.size(), order);
  std::vector<Operand> inputs;
  for (const ValueId id : node.inputs) {
    if (ElementsOf(l.ShapeOf(id)) == 0) continue;
    NEREID_ASSIGN_OR_RETURN(const Operand operand, l.In(id, spec.type, order));
    inputs.push_back(operand);
    spec.shapes.push_back(InMemory(l.ShapeOf(id), order));
  }
  l.Emit(node, std::move(spec), std::move(inputs), {l.Out(y, l.Storage(y), order)});
  return absl::OkStatus();
}

absl::Status Tile(Lowering& l, const Node& node) {
  const HostTensor* repeats = l.ConstantInput(node, 1);
  if (repeats == nullptr) return absl::UnimplementedError("repeats that depend on data");
  TileSpec spec{l.Storage(node.outputs[0]), l.ShapeOf(node.inputs[0]), repeats->AsInt64Vector()};
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  l.Emit(node, std::move(spec), {x}, {l.OutDense(node)});
  return absl::OkStatus();
}

struct PadModeRow {
  std::string_view name;
  PadMode mode;
};
constexpr PadModeRow kPadModes[] = {{"constant", PadMode::kConstant},
                                    {"edge", PadMode::kEdge},
                                    {"reflect", PadMode::kReflect},
                                    {"wrap", PadMode::kWrap}};

// Pads of every axis, as they lie in memory.
absl::Status ReadPads(Lowering& l, const Node& node, Order order, PadSpec& spec) {
  const HostTensor* pads = l.ConstantInput(node, 1);
  const HostTensor* axes = l.ConstantInput(node, 3);
  if (pads == nullptr || (node.HasInput(3) && axes == nullptr)) {
    return absl::UnimplementedError("pads that depend on data");
  }
  const size_t rank = spec.shape.size();
  spec.begins.assign(rank, 0);
  spec.ends.assign(rank, 0);
  const int64_t count = pads->element_count() / 2;
  for (int64_t i = 0; i < count; ++i) {
    int64_t axis = axes == nullptr ? i : axes->AsInt64(i);
    if (axis < 0) axis += static_cast<int64_t>(rank);
    const auto at = static_cast<size_t>(InMemory(axis, rank, order));
    spec.begins[at] = pads->AsInt64(i);
    spec.ends[at] = pads->AsInt64(count + i);
  }
  return absl::OkStatus();
}

absl::Status Pad(Lowering& l, const Node& node) {
  const ValueId y = node.outputs[0];
  const Order order = l.WantsChannelsLast(y) ? Order::kChannelsLast : Order::kDense;
  PadSpec spec;
  spec.type = l.Storage(y);
  const auto* row = std::ranges::find(kPadModes, std::string_view(node.String("mode", "constant")),
                                      &PadModeRow::name);
  if (row == std::end(kPadModes)) return absl::UnimplementedError("the mode");
  spec.mode = row->mode;
  spec.shape = InMemory(l.ShapeOf(node.inputs[0]), order);
  NEREID_RETURN_IF_ERROR(ReadPads(l, node, order, spec));
  Operand value;
  if (const HostTensor* constant = l.ConstantInput(node, 2)) {
    spec.value = constant->AsDouble(0);
  } else if (node.HasInput(2)) {
    NEREID_ASSIGN_OR_RETURN(value, l.In(node.inputs[2], spec.type));
  }
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type, order));
  l.Emit(node, std::move(spec), {x, value}, {l.Out(y, l.Storage(y), order)});
  return absl::OkStatus();
}

absl::Status Trilu(Lowering& l, const Node& node) {
  const Shape& shape = l.ShapeOf(node.outputs[0]);
  TriluSpec spec;
  spec.type = l.Storage(node.outputs[0]);
  spec.upper = node.Int("upper", 1) != 0;
  spec.rows = shape[shape.size() - 2];
  spec.columns = shape.back();
  spec.batch = ElementsOf(shape) / (spec.rows * spec.columns);
  if (node.HasInput(1)) {
    const HostTensor* k = l.ConstantInput(node, 1);
    if (k == nullptr) return absl::UnimplementedError("a diagonal that depends on data");
    spec.k = k->AsInt64(0);
  }
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  l.Emit(node, spec, {x}, {l.OutDense(node)});
  return absl::OkStatus();
}

absl::Status CumSum(Lowering& l, const Node& node) {
  const HostTensor* axis = l.ConstantInput(node, 1);
  if (axis == nullptr) return absl::UnimplementedError("an axis that depends on data");
  const AxisSplit split = SplitAt(l.ShapeOf(node.outputs[0]), axis->AsInt64(0));
  CumSumSpec spec{
      l.Storage(node.outputs[0]), split.outer, split.n, split.inner, node.Int("exclusive", 0) != 0,
      node.Int("reverse", 0) != 0};
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  l.Emit(node, spec, {x}, {l.OutDense(node)});
  return absl::OkStatus();
}

absl::Status TopK(Lowering& l, const Node& node) {
  const Shape& shape = l.ShapeOf(node.inputs[0]);
  const AxisSplit split = SplitAt(shape, node.Int("axis", -1));
  const ValueId any = node.HasOutput(0) ? node.outputs[0] : node.outputs[1];
  TopKSpec spec;
  spec.type = node.HasOutput(0) ? l.Storage(node.outputs[0]) : l.Storage(node.inputs[0]);
  spec.outer = split.outer;
  spec.n = split.n;
  spec.inner = split.inner;
  spec.k = l.ShapeOf(any)[split.axis];
  spec.largest = node.Int("largest", 1) != 0;
  const auto count = static_cast<size_t>(ElementsOf(l.ShapeOf(any)));
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type));
  const Operand values =
      node.HasOutput(0) ? l.OutDense(node, 0) : l.Temporary(count * ElementByteSize(spec.type));
  const Operand indices = node.HasOutput(1) ? l.OutDense(node, 1) : l.Temporary(count * 8);
  l.Emit(node, spec, {x}, {values, indices});
  return absl::OkStatus();
}

absl::Status ConstantOfShape(Lowering& l, const Node& node) {
  FillSpec spec{l.Storage(node.outputs[0]), ElementsOf(l.ShapeOf(node.outputs[0])), 0};
  const auto value = node.attributes.find("value");
  if (value != node.attributes.end()) {
    spec.value = std::get<HostTensor>(value->second).AsDouble(0);
  }
  l.Emit(node, spec, {}, {l.OutDense(node)});
  return absl::OkStatus();
}

template <typename T>
struct NameRow {
  std::string_view name;
  T value;
};
constexpr NameRow<ResizeMode> kResizeModes[] = {{"nearest", ResizeMode::kNearest},
                                                {"linear", ResizeMode::kLinear},
                                                {"cubic", ResizeMode::kCubic}};
constexpr NameRow<ResizeCoordinates> kCoordinates[] = {
    {"half_pixel", ResizeCoordinates::kHalfPixel},
    {"half_pixel_symmetric", ResizeCoordinates::kHalfPixelSymmetric},
    {"pytorch_half_pixel", ResizeCoordinates::kPytorchHalfPixel},
    {"align_corners", ResizeCoordinates::kAlignCorners},
    {"asymmetric", ResizeCoordinates::kAsymmetric}};
constexpr NameRow<ResizeRounding> kRoundings[] = {
    {"round_prefer_floor", ResizeRounding::kRoundPreferFloor},
    {"round_prefer_ceil", ResizeRounding::kRoundPreferCeil},
    {"floor", ResizeRounding::kFloor},
    {"ceil", ResizeRounding::kCeil}};

template <typename T, size_t N>
absl::StatusOr<T> ByName(const NameRow<T> (&rows)[N], const std::string& name) {
  for (const auto& row : rows) {
    if (row.name == name) return row.value;
  }
  return absl::UnimplementedError(name);
}

absl::Status ReadScales(Lowering& l, const Node& node, ResizeSpec& spec) {
  if (node.HasInput(2) && l.ConstantInput(node, 2) == nullptr) {
    return absl::UnimplementedError("scales that depend on data");
  }
  const HostTensor* scales = l.ConstantInput(node, 2);
  if (scales == nullptr || scales->element_count() == 0) return absl::OkStatus();
  if (scales->element_count() != 4) return absl::UnimplementedError("scales of some axes");
  spec.scale_h = static_cast<float>(scales->AsDouble(2));
  spec.scale_w = static_cast<float>(scales->AsDouble(3));
  return absl::OkStatus();
}

absl::Status Resize(Lowering& l, const Node& node) {
  const ValueId y = node.outputs[0];
  const Shape &in = l.ShapeOf(node.inputs[0]), &out = l.ShapeOf(y);
  const bool plain = in.size() == 4 && in[0] == out[0] && in[1] == out[1] &&
                     node.Int("antialias", 0) == 0 && node.Ints("axes").empty() &&
                     node.String("keep_aspect_ratio_policy", "stretch") == "stretch";
  if (!plain) return absl::UnimplementedError("a resize of other axes");
  ResizeSpec spec;
  spec.type = l.Storage(y);
  spec.channels_last = l.WantsChannelsLast(y);
  spec.n = in[0];
  spec.channels = in[1];
  spec.in_h = in[2];
  spec.in_w = in[3];
  spec.out_h = out[2];
  spec.out_w = out[3];
  NEREID_RETURN_IF_ERROR(ReadScales(l, node, spec));
  NEREID_ASSIGN_OR_RETURN(spec.mode, ByName(kResizeModes, node.String("mode", "nearest")));
  NEREID_ASSIGN_OR_RETURN(
      spec.coordinates,
      ByName(kCoordinates, node.String("coordinate_transformation_mode", "half_pixel")));
  NEREID_ASSIGN_OR_RETURN(spec.rounding,
                          ByName(kRoundings, node.String("nearest_mode", "round_prefer_floor")));
  spec.cubic_coefficient = node.Float("cubic_coeff_a", -0.75f);
  spec.exclude_outside = node.Int("exclude_outside", 0) != 0;
  const Order order = spec.channels_last ? Order::kChannelsLast : Order::kDense;
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type, order));
  l.Emit(node, spec, {x}, {l.Out(y, spec.type, order)});
  return absl::OkStatus();
}

absl::Status Range(Lowering& l, const Node& node) {
  const RangeSpec spec{l.Storage(node.outputs[0]), ElementsOf(l.ShapeOf(node.outputs[0]))};
  NEREID_ASSIGN_OR_RETURN(const Operand start, l.In(node.inputs[0], spec.type));
  NEREID_ASSIGN_OR_RETURN(const Operand delta, l.In(node.inputs[2], spec.type));
  l.Emit(node, spec, {start, delta}, {l.OutDense(node)});
  return absl::OkStatus();
}

constexpr LowerRow kRows[] = {
    {"Concat", Concat}, {"ConstantOfShape", ConstantOfShape},
    {"CumSum", CumSum}, {"Pad", Pad},
    {"Range", Range},   {"Resize", Resize},
    {"Tile", Tile},     {"TopK", TopK},
    {"Trilu", Trilu},
};

}  // namespace

absl::Span<const LowerRow> MoveRows() { return kRows; }

}  // namespace nereid::engine
