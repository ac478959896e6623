#pragma once

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "kernels/recurrent/recurrent.h"

namespace nereid::engine {

// Kernel text: Activate0(x), Activate1(x), … of the direction that blockIdx.y counts.
std::string DefineActivations(absl::Span<const RecurrentActivation> activations,
                              int64_t directions);

}  // namespace nereid::engine
