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

// Running sums along the middle extent of a dense [outer, n, inner] tensor. Input: x. Output: y.
struct CumSumSpec {
  DataType type = DataType::kFp32;
  int64_t outer = 1, n = 1, inner = 1;
  bool exclusive = false;
  bool reverse = false;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeCumSum(Toolbox& toolbox, const CumSumSpec& spec);

}  // namespace nereid::engine
