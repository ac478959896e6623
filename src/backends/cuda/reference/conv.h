#pragma once

#include "absl/status/statusor.h"
#include "backends/cuda/reference/matmul.h"
#include "backends/cuda/reference/window.h"

namespace nereid::engine {

// Convolution of x [N, C, image…] by w [M, C / group, kernel…] in double, without bias, for a node
// with the attributes of Conv.
absl::StatusOr<Numbers<double>> Convolve(const Node& node, const Numbers<double>& x,
                                         const Numbers<double>& w);

}  // namespace nereid::engine
