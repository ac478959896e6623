#include "backends/cuda/lower/image_window.h"
#include "backends/cuda/lower/lowering.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

absl::Status Pool(Lowering& l, const Node& node, bool max) {
  const ValueId y = node.outputs[0];
  if (node.HasOutput(1)) return absl::UnimplementedError("the indices of the greatest");
  NEREID_ASSIGN_OR_RETURN(const ImageExtents in, ImageOf(l.ShapeOf(node.inputs[0])));
  NEREID_ASSIGN_OR_RETURN(const ImageExtents out, ImageOf(l.ShapeOf(y)));
  NEREID_ASSIGN_OR_RETURN(const ImageWindow window, WindowOf(node, node.Ints("kernel_shape")));
  PoolSpec spec;
  spec.type = l.Storage(y);
  if (!IsDeviceFloat(spec.type)) return absl::UnimplementedError("the type");
  spec.max = max;
  spec.channels_last = l.WantsChannelsLast(y);
  spec.n = in.n;
  spec.channels = in.channels;
  spec.h = in.h;
  spec.w = in.w;
  spec.out_h = out.h;
  spec.out_w = out.w;
  spec.window = window.extent;
  spec.stride = window.stride;
  spec.dilation = window.dilation;
  spec.pad_begin = window.pad_begin;
  spec.pad_end = window.pad_end;
  spec.count_include_pad = node.Int("count_include_pad", 0) != 0;
  const Order order = spec.channels_last ? Order::kChannelsLast : Order::kDense;
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type, order));
  l.Emit(node, spec, {x}, {l.Out(y, spec.type, order)});
  return absl::OkStatus();
}

absl::Status GlobalPool(Lowering& l, const Node& node, bool max) {
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const Shape& shape = l.ShapeOf(x);
  if (shape.size() < 3) return absl::UnimplementedError("the rank");
  NEREID_ASSIGN_OR_RETURN(const Placement from, l.At(x));
  GlobalPoolSpec spec;
  spec.type = l.Storage(y);
  if (!IsDeviceFloat(spec.type)) return absl::UnimplementedError("the type");
  spec.max = max;
  spec.channels_last = IsChannelsLast(from) && !IsDense(from);
  spec.n = shape[0];
  spec.channels = shape[1];
  spec.pixels = ElementsOf(absl::MakeConstSpan(shape).subspan(2));
  const Order order = spec.channels_last ? Order::kChannelsLast : Order::kDense;
  NEREID_ASSIGN_OR_RETURN(const Operand in, l.In(x, spec.type, order));
  l.Emit(node, spec, {in}, {l.OutDense(node)});
  return absl::OkStatus();
}

constexpr LowerRow kRows[] = {
    {"AveragePool", [](Lowering& l, const Node& node) { return Pool(l, node, false); }},
    {"GlobalAveragePool", [](Lowering& l, const Node& node) { return GlobalPool(l, node, false); }},
    {"GlobalMaxPool", [](Lowering& l, const Node& node) { return GlobalPool(l, node, true); }},
    {"MaxPool", [](Lowering& l, const Node& node) { return Pool(l, node, true); }},
};

}  // namespace

absl::Span<const LowerRow> PoolRows() { return kRows; }

}  // namespace nereid::engine
