#pragma once

#include <memory>

#include "backends/cuda/device/device_op.h"
#include "kernels/cudnn/convolution.h"
#include "kernels/jit/toolbox.h"

namespace nereid::engine {

// As MakeConvolution, by whichever is faster on this GPU: cuDNN, or, where every pixel of the
// result depends on one pixel (a 1×1 filter without strides and padding, channels last), a matrix
// product.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFastestConvolution(Toolbox& toolbox,
                                                                 const ConvolutionSpec& spec);

}  // namespace nereid::engine
