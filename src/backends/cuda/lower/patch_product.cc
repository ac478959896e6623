#include "backends/cuda/lower/patch_product.h"

#include <array>

#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// From so many channels on, a convolution reads whole vectors of them.
constexpr int64_t kManyChannels = 8;
// Shorter rows make a product too thin to pay for the rearrangement.
constexpr int64_t kFewestElements = 32;

constexpr std::array<int64_t, 2> kNone = {0, 0};
constexpr std::array<int64_t, 2> kOnes = {1, 1};

struct Patches {
  Placement view;  // the image by patches: [n, down, across, and the elements of one]
  WeightForm filter;
};

// Elements of a patch come in the order in which the image has them nearest to each other.
Patches PatchesOf(const Placement& image, const ConvolutionSpec& spec) {
  const std::vector<int64_t>& strides = image.strides;
  const bool flat = strides.size() == 3;
  const int64_t channel = strides[1], row = flat ? 0 : strides[2], column = strides.back();
  Patches patches{image, {}};
  patches.view.shape = {spec.n, spec.out_h(), spec.out_w()};
  patches.view.strides = {strides[0], row * spec.r, column * spec.s};
  const auto append = [&](int64_t extent, int64_t stride) {
    patches.view.shape.push_back(extent);
    patches.view.strides.push_back(stride);
  };
  const bool channels_last = IsChannelsLast(image) && !IsDense(image);
  if (!channels_last) append(spec.c, channel);
  append(spec.r, row);
  append(spec.s, column);
  if (channels_last) append(spec.c, channel);
  if (channels_last) patches.filter.order = WeightOrder::kFilterChannelsLast;
  return patches;
}

}  // namespace

bool IsPatchProduct(const ConvolutionSpec& spec) {
  const bool tiles = spec.stride == std::array{spec.r, spec.s} && spec.dilation == kOnes &&
                     spec.pad_begin == kNone && spec.pad_end == kNone && spec.groups == 1 &&
                     !spec.transposed;
  const int64_t elements = spec.c * spec.r * spec.s;
  const auto size = static_cast<int64_t>(ElementByteSize(spec.type));
  return tiles && spec.layout == ImageLayout::kNhwc && spec.c < kManyChannels &&
         elements >= kFewestElements && elements * size % kOperandAlignment == 0;
}

absl::Status LowerPatchProduct(Lowering& l, const Node& node, const ConvolutionSpec& spec) {
  NEREID_ASSIGN_OR_RETURN(const Placement image, l.At(node.inputs[0]));
  Patches patches = PatchesOf(image, spec);
  const HostTensor* filter = l.ConstantInput(node, 1);
  if (filter == nullptr && patches.filter.order != WeightOrder::kAsIs) {
    return absl::UnimplementedError("a filter that is made while the model runs");
  }
  GemmSpec product;
  product.type = spec.type;
  product.out_type = spec.type;
  product.tf32 = spec.tf32;
  product.m = spec.n * spec.out_h() * spec.out_w();
  product.n = spec.k;
  product.k = spec.c * spec.r * spec.s;
  product.a = {product.k, 0};
  product.b = {product.k, 0};
  product.transpose_b = true;
  product.has_bias = node.HasInput(2);
  product.has_residual = node.HasInput(3);
  product.activation = spec.relu ? GemmActivation::kRelu : GemmActivation::kNone;
  NEREID_ASSIGN_OR_RETURN(const Operand rows, l.Copy(patches.view, spec.type, Order::kDense));
  NEREID_ASSIGN_OR_RETURN(
      const Operand weights,
      filter == nullptr ? l.In(node.inputs[1], spec.type)
                        : absl::StatusOr<Operand>(l.Weight(*filter, spec.type, patches.filter)));
  const auto optional = [&](size_t i) { return node.HasInput(i) ? node.inputs[i] : kNoValue; };
  NEREID_ASSIGN_OR_RETURN(const Operand bias, l.In(optional(2), spec.type));
  NEREID_ASSIGN_OR_RETURN(const Operand residual,
                          l.In(optional(3), spec.type, Order::kChannelsLast));
  product.b_is_constant = l.IsWeight(weights);
  l.Emit(node, product, {rows, weights, bias, residual},
         {l.Out(node.outputs[0], spec.type, Order::kChannelsLast)});
  return absl::OkStatus();
}

}  // namespace nereid::engine
