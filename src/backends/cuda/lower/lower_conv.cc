#include <algorithm>
#include <iterator>
#include <optional>

#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/lower/image_window.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/lower/patch_product.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// Images of so few channels are widened on their way to channels last, for wider loads.
constexpr int64_t kFewChannels = 4;

absl::StatusOr<ConvolutionSpec> SpecOf(Lowering& l, const Node& node) {
  const ValueId y = node.outputs[0];
  const Shape& filter = l.ShapeOf(node.inputs[1]);
  ConvolutionSpec spec;
  spec.type = l.Compute(node);
  if (!IsDeviceFloat(spec.type)) return absl::UnimplementedError("the type");
  spec.tf32 = l.Tf32(node);
  spec.layout = l.WantsChannelsLast(y) ? ImageLayout::kNhwc : ImageLayout::kNchw;
  NEREID_ASSIGN_OR_RETURN(const ImageExtents image, ImageOf(l.ShapeOf(node.inputs[0])));
  NEREID_ASSIGN_OR_RETURN(const ImageWindow window,
                          WindowOf(node, absl::MakeConstSpan(filter).subspan(2)));
  spec.n = image.n;
  spec.c = image.channels;
  spec.h = image.h;
  spec.w = image.w;
  spec.k = l.ShapeOf(y)[1];
  spec.r = window.extent[0];
  spec.s = window.extent[1];
  spec.stride = window.stride;
  spec.dilation = window.dilation;
  spec.pad_begin = window.pad_begin;
  spec.pad_end = window.pad_end;
  spec.groups = node.Int("group", 1);
  return spec;
}

// Whether what the spec makes is what the graph says.
bool Agrees(const ConvolutionSpec& spec, const Shape& y) {
  return spec.out_w() == y.back() && (y.size() == 3 || spec.out_h() == y[2]);
}

absl::StatusOr<Operand> FilterOf(Lowering& l, const Node& node, const ConvolutionSpec& spec,
                                 int64_t channels) {
  const HostTensor* filter = l.ConstantInput(node, 1);
  if (spec.layout == ImageLayout::kNchw) return l.In(node.inputs[1], spec.type);
  if (filter == nullptr) return l.In(node.inputs[1], spec.type, Order::kChannelsLast);
  return l.Weight(*filter, spec.type, {WeightOrder::kFilterChannelsLast, channels});
}

// The image with its channels filled up to spec.c, channels last.
absl::StatusOr<Operand> Widen(Lowering& l, const Node& node, const ConvolutionSpec& spec,
                              int64_t channels) {
  NEREID_ASSIGN_OR_RETURN(const Placement from, l.At(node.inputs[0]));
  NEREID_ASSIGN_OR_RETURN(const Operand dense, l.In(node.inputs[0], from.type));
  LayoutSpec copy;
  copy.type = from.type;
  copy.out_type = spec.type;
  copy.n = spec.n;
  copy.channels = channels;
  copy.pixels = spec.h * spec.w;
  copy.channels_out = spec.c;
  const Operand wide = l.Temporary(static_cast<size_t>(copy.n * copy.pixels * copy.channels_out) *
                                   ElementByteSize(spec.type));
  l.Emit(node, copy, {dense}, {wide});
  return wide;
}

absl::Status Convolve(Lowering& l, const Node& node) {
  NEREID_ASSIGN_OR_RETURN(ConvolutionSpec spec, SpecOf(l, node));
  const ValueId y = node.outputs[0];
  if (!Agrees(spec, l.ShapeOf(y))) return absl::UnimplementedError("the extents of the result");
  spec.has_bias = node.HasInput(2);
  spec.has_residual = node.HasInput(3);
  spec.relu = node.String("activation", "") == "Relu";
  if (IsPatchProduct(spec)) return LowerPatchProduct(l, node, spec);
  const Order order = spec.layout == ImageLayout::kNhwc ? Order::kChannelsLast : Order::kDense;
  NEREID_ASSIGN_OR_RETURN(const Placement from, l.At(node.inputs[0]));
  const int64_t channels = spec.c;
  const bool widen = order == Order::kChannelsLast && spec.groups == 1 && channels < kFewChannels &&
                     IsDense(from) && !IsChannelsLast(from) && IsDeviceFloat(from.type) &&
                     l.ConstantInput(node, 1) != nullptr && spec.type != DataType::kFp32;
  if (widen) spec.c = kFewChannels;
  NEREID_ASSIGN_OR_RETURN(const Operand x, widen ? Widen(l, node, spec, channels)
                                                 : l.In(node.inputs[0], spec.type, order));
  NEREID_ASSIGN_OR_RETURN(const Operand filter, FilterOf(l, node, spec, widen ? spec.c : 0));
  const auto optional = [&](size_t i) { return node.HasInput(i) ? node.inputs[i] : kNoValue; };
  NEREID_ASSIGN_OR_RETURN(const Operand bias, l.In(optional(2), spec.type));
  NEREID_ASSIGN_OR_RETURN(const Operand residual, l.In(optional(3), spec.type, order));
  spec.constant_filter = l.IsWeight(filter);
  l.Emit(node, spec, {x, filter, bias, residual}, {l.Out(y, spec.type, order)});
  return absl::OkStatus();
}

absl::Status ConvTranspose(Lowering& l, const Node& node) {
  if (!node.Ints("output_shape").empty()) {
    return absl::UnimplementedError("an output_shape that is not resolved");
  }
  NEREID_ASSIGN_OR_RETURN(ConvolutionSpec spec, SpecOf(l, node));
  spec.transposed = true;
  const std::vector<int64_t> output_padding = node.Ints("output_padding");
  for (size_t i = 0; i < output_padding.size() && i < 2; ++i) {
    spec.output_pad[2 - output_padding.size() + i] = output_padding[i];
  }
  const ValueId y = node.outputs[0];
  if (node.HasInput(2) || !Agrees(spec, l.ShapeOf(y))) {
    return absl::UnimplementedError("the extents of the result");
  }
  const Order order = spec.layout == ImageLayout::kNhwc ? Order::kChannelsLast : Order::kDense;
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type, order));
  NEREID_ASSIGN_OR_RETURN(const Operand filter, FilterOf(l, node, spec, 0));
  l.Emit(node, spec, {x, filter, {}, {}}, {l.Out(y, spec.type, order)});
  return absl::OkStatus();
}

struct ActivationRow {
  std::string_view name;
  DepthwiseActivation activation;
};
constexpr ActivationRow kActivations[] = {
    {"", DepthwiseActivation::kNone},
    {"Clip", DepthwiseActivation::kClip},
    {"HardSigmoid", DepthwiseActivation::kHardSigmoid},
    {"HardSwish", DepthwiseActivation::kHardSwish},
    {"LeakyRelu", DepthwiseActivation::kLeakyRelu},
    {"Relu", DepthwiseActivation::kRelu},
    {"Sigmoid", DepthwiseActivation::kSigmoid},
    {"Swish", DepthwiseActivation::kSwish},
};

std::optional<DepthwiseActivation> ActivationOf(const Node& node, std::string_view attribute) {
  const std::string name = node.String(attribute, "");
  const auto* row = std::ranges::find(kActivations, std::string_view(name), &ActivationRow::name);
  if (row == std::end(kActivations)) return std::nullopt;
  return row->activation;
}

absl::Status Depthwise(Lowering& l, const Node& node) {
  NEREID_ASSIGN_OR_RETURN(const ConvolutionSpec conv, SpecOf(l, node));
  DepthwiseSpec spec;
  spec.type = conv.type;
  spec.channels_last = conv.layout == ImageLayout::kNhwc;
  spec.n = conv.n;
  spec.channels = conv.c;
  spec.h = conv.h;
  spec.w = conv.w;
  spec.r = conv.r;
  spec.s = conv.s;
  spec.stride = conv.stride;
  spec.dilation = conv.dilation;
  spec.pad_begin = conv.pad_begin;
  spec.pad_end = conv.pad_end;
  spec.has_bias = node.HasInput(2);
  const auto after = ActivationOf(node, "activation");
  const auto before = ActivationOf(node, "input_activation");
  if (!after || !before) return absl::UnimplementedError("the activation");
  spec.activation = *after;
  spec.alpha = node.Float("alpha", 0);
  spec.beta = node.Float("beta", 0);
  spec.input_activation = *before;
  spec.input_alpha = node.Float("input_alpha", 0);
  spec.input_beta = node.Float("input_beta", 0);
  spec.input_scale = node.Float("input_scale", 1);
  spec.input_shift = node.Float("input_shift", 0);
  const Order order = spec.channels_last ? Order::kChannelsLast : Order::kDense;
  const HostTensor& filter = *l.ConstantInput(node, 1);
  NEREID_ASSIGN_OR_RETURN(const Operand x, l.In(node.inputs[0], spec.type, order));
  const Operand weight = l.Weight(
      filter, spec.type, {spec.channels_last ? WeightOrder::kDepthwise : WeightOrder::kAsIs, 0});
  NEREID_ASSIGN_OR_RETURN(const Operand bias,
                          l.In(node.HasInput(2) ? node.inputs[2] : kNoValue, spec.type));
  l.Emit(node, spec, {x, weight, bias}, {l.Out(node.outputs[0], spec.type, order)});
  return absl::OkStatus();
}

constexpr LowerRow kRows[] = {
    {"Conv", Convolve},
    {"ConvTranspose", ConvTranspose},
    {"nereid.Depthwise", Depthwise},
    {"nereid.FusedConv", Convolve},
};

}  // namespace

absl::Span<const LowerRow> ConvRows() { return kRows; }

}  // namespace nereid::engine
