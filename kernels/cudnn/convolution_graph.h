#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "kernels/cudnn/convolution.h"
#include "kernels/cudnn/plan.h"

namespace nereid::engine {

// What operands are called in a graph.
enum ConvolutionTensorId : int64_t {
  kConvolutionX = 'x',
  kConvolutionW = 'w',
  kConvolutionBias = 'b',
  kConvolutionResidual = 'r',
  kConvolutionY = 'y',
};

// The operation graph of a convolution; the library's Lock() is held.
absl::StatusOr<std::shared_ptr<const OperationGraph>> MakeConvolutionGraph(
    const Cudnn& library, const ConvolutionSpec& spec);

}  // namespace nereid::engine
