#include "kernels/convolution/convolution.h"

#include <string>

#include "common/strings.h"
#include "kernels/gemm/gemm.h"
#include "kernels/jit/alternatives.h"

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
  product.has_bias = s.has_bias;
  product.has_residual = s.has_residual;
  product.activation = s.relu ? GemmActivation::kRelu : GemmActivation::kNone;
  return product;
}

RaceOperands OperandsOf(const GemmSpec& s) {
  const auto bytes = [&](int64_t count) {
    return static_cast<size_t>(count) * ElementByteSize(s.type);
  };
  return {{bytes(s.m * s.k), bytes(s.n * s.k), s.has_bias ? bytes(s.n) : 0,
           s.has_residual ? bytes(s.m * s.n) : 0},
          {bytes(s.m * s.n)}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFastestConvolution(Toolbox& toolbox,
                                                                 const ConvolutionSpec& spec) {
  if (!IsProduct(spec)) return MakeConvolution(toolbox, spec);
  const GemmSpec product = AsProduct(spec);
  const std::string specification =
      StrCat("1x1 convolution ", product.m, "x", product.n, "x", product.k, " ",
             ProtocolName(spec.type), spec.tf32 ? " tf32" : "", spec.has_bias ? " +bias" : "",
             spec.has_residual ? " +residual" : "", spec.relu ? " relu" : "", " of ",
             toolbox.options().max_candidates, " within ", toolbox.options().max_workspace_bytes);
  const Alternative alternatives[] = {
      {"cuDNN", [&] { return MakeConvolution(toolbox, spec); }},
      {"product", [&] { return MakeGemm(toolbox, product); }},
  };
  return MakeFastest(toolbox, specification, alternatives, OperandsOf(product));
}

}  // namespace nereid::engine
