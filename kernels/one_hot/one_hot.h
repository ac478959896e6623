#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "backends/cuda/device/device_op.h"
#include "kernels/jit/toolbox.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid::engine {

// ONNX's OneHot: y is [outer, depth, inner] for indices [outer, inner]. Inputs: indices, values
// (two elements: off, on). Output: y, of the values' type. Negative indices count from the end.
struct OneHotSpec {
  DataType index_type = DataType::kInt64;
  DataType type = DataType::kFp32;
  int64_t outer = 1, depth = 1, inner = 1;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeOneHot(Toolbox& toolbox, const OneHotSpec& spec);

}  // namespace nereid::engine
