#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/device/device_op.h"
#include "kernels/cudnn/convolution.h"
#include "kernels/gemm/gemm.h"
#include "kernels/jit/alternatives.h"
#include "kernels/jit/toolbox.h"

namespace nereid::engine {

// Own products of 16-bit matrices, and convolutions as products, for GPUs with warp-group matrix
// instructions (sm_90). Where few rows leave libraries' kernels waiting they are faster: a tile's
// sum is split among the blocks of a cluster, which add up through their shared memories, and
// weights are on their way before the kernel in front has ended.

// `split` blocks compute `rows`×`columns` of the result together, each a part of the sum.
struct ProductTile {
  int rows = 64;     // 64 or 128
  int columns = 64;  // 32 (B transposed only), 64, 128 or 256
  int split = 1;     // 1, 2, 4 or 8

  std::string name() const;
};

// The few cuts worth a race, the most promising first; none where a library does as well or the
// kernel cannot: other types and GPUs, batches, operands or extents not multiples of 16 bytes.
std::vector<ProductTile> ProductTiles(const Context& context, const GemmSpec& spec);
std::vector<ProductTile> ProductTiles(const Context& context, const ConvolutionSpec& spec);

// The text of the kernel that would do it, for compiling ahead; what Make... would take.
std::string TileProductSource(const GemmSpec& spec, const ProductTile& tile);
std::string TileProductSource(const ConvolutionSpec& spec, const ProductTile& tile);
inline constexpr char kTileProductKernel[] = "tile_product";

// UNIMPLEMENTED for what ProductTiles() gives none.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTileProduct(Toolbox& toolbox, const GemmSpec& spec,
                                                          ProductTile tile);
// Images with channels innermost, multiples of 64 of them; no groups.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTileProduct(Toolbox& toolbox,
                                                          const ConvolutionSpec& spec,
                                                          ProductTile tile);

// Every cut worth a race; `spec` outlives the alternatives.
template <typename Spec>
void AddTiles(Toolbox& toolbox, const Spec& spec, std::vector<Alternative>* alternatives) {
  for (const ProductTile& tile : ProductTiles(*toolbox.context(), spec)) {
    alternatives->push_back(
        {tile.name(), [&, tile] { return MakeTileProduct(toolbox, spec, tile); }});
  }
}

}  // namespace nereid::engine
