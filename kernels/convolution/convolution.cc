#include "kernels/convolution/convolution.h"

#include <string>
#include <vector>

#include "common/strings.h"
#include "kernels/gemm/gemm.h"
#include "kernels/jit/alternatives.h"
#include "kernels/tile_product/tile_product.h"

namespace nereid::engine {
namespace {

using Extents = std::array<int64_t, 2>;

bool IsProduct(const ConvolutionSpec& s) {
  return !s.transposed && s.layout == ImageLayout::kNhwc && s.r == 1 && s.s == 1 && s.groups == 1 &&
         s.stride == Extents{1, 1} && s.pad_begin == Extents{0, 0} && s.pad_end == Extents{0, 0};
}

// Filters lie as [k, c]: B transposed.
GemmSpec AsProduct(const ConvolutionSpec& s) {
  GemmSpec product;
  product.type = s.type;
  product.tf32 = s.tf32;
  product.m = s.n * s.h * s.w;
  product.n = s.k;
  product.k = s.c;
  product.transpose_b = true;
  product.b_is_constant = s.constant_filter;
  product.has_bias = s.has_bias;
  product.has_residual = s.has_residual;
  product.activation = s.relu ? GemmActivation::kRelu : GemmActivation::kNone;
  return product;
}

RaceOperands OperandsOf(const ConvolutionSpec& s) {
  const auto bytes = [&](int64_t count) {
    return static_cast<size_t>(count) * ElementByteSize(s.type);
  };
  const size_t out = bytes(s.n * s.k * s.out_h() * s.out_w());
  return {{bytes(s.n * s.c * s.h * s.w), bytes(s.k * s.c / s.groups * s.r * s.s),
           s.has_bias ? bytes(s.k) : 0, s.has_residual ? out : 0},
          {out}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFastestConvolution(Toolbox& toolbox,
                                                                 const ConvolutionSpec& spec) {
  std::vector<Alternative> alternatives = {
      {"cuDNN", [&] { return MakeConvolution(toolbox, spec); }}};
  if (IsProduct(spec)) {
    alternatives.push_back({"product", [&] { return MakeGemm(toolbox, AsProduct(spec)); }});
  }
  AddTiles(toolbox, spec, &alternatives);
  if (alternatives.size() == 1) return MakeConvolution(toolbox, spec);
  return MakeFastest(toolbox,
                     StrCat("convolution ", SpecificationOf(spec, toolbox.options()),
                            spec.constant_filter ? " early" : ""),
                     alternatives, OperandsOf(spec));
}

}  // namespace nereid::engine
