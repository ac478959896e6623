#include "absl/status/status.h"
#include "backends/cuda/lower/op_spec.h"
#include "kernels/concat/concat.h"
#include "kernels/convolution/convolution.h"
#include "kernels/product/product.h"
#include "kernels/tile_product/tile_product.h"

namespace nereid::engine {
namespace {

using Made = absl::StatusOr<std::unique_ptr<DeviceOp>>;

Made Make(Toolbox& t, const ConvolutionSpec& s) { return MakeFastestConvolution(t, s); }
Made Make(Toolbox& t, const DepthwiseSpec& s) { return MakeDepthwise(t, s); }
Made Make(Toolbox& t, const GemmSpec& s) { return MakeFastestProduct(t, s); }
Made Make(Toolbox& t, const MatMulSpec& s) { return MakeMatMul(t, s.base, s.a, s.b); }
Made Make(Toolbox& t, const AttentionSpec& s) { return MakeAttention(t, s); }
Made Make(Toolbox& t, const PointwiseSpec& s) { return MakePointwise(t, s); }
Made Make(Toolbox& t, const RowNormSpec& s) { return MakeRowNorm(t, s); }
Made Make(Toolbox& t, const GroupNormSpec& s) { return MakeGroupNorm(t, s); }
Made Make(Toolbox& t, const SoftmaxSpec& s) { return MakeSoftmax(t, s); }
Made Make(Toolbox& t, const ReduceSpec& s) { return MakeReduce(t, s); }
Made Make(Toolbox& t, const ArgReduceSpec& s) { return MakeArgReduce(t, s); }
Made Make(Toolbox& t, const PoolSpec& s) { return MakePool(t, s); }
Made Make(Toolbox& t, const GlobalPoolSpec& s) { return MakeGlobalPool(t, s); }
Made Make(Toolbox& t, const ResizeSpec& s) { return MakeResize(t, s); }
Made Make(Toolbox& t, const TransposeSpec& s) { return MakeTranspose(t, s); }
Made Make(Toolbox& t, const LayoutSpec& s) { return MakeLayoutCopy(t, s); }
Made Make(Toolbox& t, const StridedCopySpec& s) { return MakeStridedCopy(t, s); }
Made Make(Toolbox& t, const ConcatSpec& s) { return MakeConcat(t, s.type, s.shapes, s.axis); }
Made Make(Toolbox& t, const TileSpec& s) { return MakeTile(t, s.type, s.shape, s.repeats); }
Made Make(Toolbox& t, const PadSpec& s) { return MakePad(t, s); }
Made Make(Toolbox& t, const GatherSpec& s) { return MakeGather(t, s); }
Made Make(Toolbox& t, const GatherElementsSpec& s) { return MakeGatherElements(t, s); }
Made Make(Toolbox& t, const GatherNdSpec& s) { return MakeGatherNd(t, s); }
Made Make(Toolbox& t, const ScatterNdSpec& s) { return MakeScatterNd(t, s); }
Made Make(Toolbox& t, const ScatterElementsSpec& s) { return MakeScatterElements(t, s); }
Made Make(Toolbox& t, const OneHotSpec& s) { return MakeOneHot(t, s); }
Made Make(Toolbox& t, const RangeSpec& s) { return MakeRange(t, s); }
Made Make(Toolbox& t, const FillSpec& s) { return MakeFill(t, s.type, s.count, s.value); }
Made Make(Toolbox& t, const CumSumSpec& s) { return MakeCumSum(t, s); }
Made Make(Toolbox& t, const TopKSpec& s) { return MakeTopK(t, s); }
Made Make(Toolbox& t, const TriluSpec& s) { return MakeTrilu(t, s); }
Made Make(Toolbox& t, const RecurrentSpec& s) { return MakeRecurrent(t, s); }
Made Make(Toolbox&, const HostSpec&) {
  return absl::InternalError("a host step has no device work");
}

template <typename Spec>
std::vector<CandidateKernel> Candidates(const Context& context, const Spec& spec) {
  std::vector<CandidateKernel> kernels;
  if constexpr (std::is_same_v<Spec, GemmSpec> || std::is_same_v<Spec, ConvolutionSpec>) {
    for (const ProductTile& tile : ProductTiles(context, spec)) {
      kernels.push_back({TileProductSource(spec, tile), kTileProductKernel});
    }
  }
  return kernels;
}

}  // namespace

std::vector<CandidateKernel> CandidateKernels(const Context& context, const OpSpec& spec) {
  return std::visit([&](const auto& s) { return Candidates(context, s); }, spec);
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeOp(Toolbox& toolbox, const OpSpec& spec) {
  return std::visit([&](const auto& s) { return Make(toolbox, s); }, spec);
}

}  // namespace nereid::engine
