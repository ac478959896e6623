#pragma once

#include "absl/status/status.h"
#include "backends/cuda/lower/lowering.h"

namespace nereid::engine {

// Whether a convolution is better done as a matrix product over rearranged patches: its windows
// tile the image (their stride is their extent, nothing is padded), and its channels are too few
// for the library's convolution to fill tensor cores with. The first layer of a vision transformer,
// mostly.
bool IsPatchProduct(const ConvolutionSpec& spec);

// Emits the rearrangement and the product, with the node's bias, residual and ReLU. The result has
// its channels innermost: [image, patch, channel] in memory.
absl::Status LowerPatchProduct(Lowering& l, const Node& node, const ConvolutionSpec& spec);

}  // namespace nereid::engine
