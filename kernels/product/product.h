#pragma once

#include <memory>

#include "backends/cuda/device/device_op.h"
#include "kernels/gemm/gemm.h"
#include "kernels/jit/toolbox.h"
#include "nereid/shape.h"

namespace nereid::engine {

// The fastest way on this GPU: by cuBLASLt, or by our own kernel cut up in one of several ways.
// Inputs and output as for MakeGemm.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFastestProduct(Toolbox& toolbox,
                                                             const GemmSpec& spec);

// ONNX's MatMul on dense tensors with broadcast batch extents; `base` gives types, bias, residual,
// activation, alpha and the transpositions of the last two extents (which `a` and `b` then have
// swapped). Inputs and output as for MakeGemm; the bias belongs to the last extent of C.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeMatMul(Toolbox& toolbox, GemmSpec base,
                                                     const Shape& a, const Shape& b);

}  // namespace nereid::engine
