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

// The k greatest (or least) elements along the middle extent of a dense [outer, n, inner] tensor,
// in order; of equal ones the lower index comes first. Input: x. Outputs: values, indices (int64).
struct TopKSpec {
  DataType type = DataType::kFp32;
  int64_t outer = 1, n = 1, inner = 1, k = 1;
  bool largest = true;
};

// UNIMPLEMENTED when n rounded up to a power of two does not fit a block's shared memory (n >
// 16384).
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTopK(Toolbox& toolbox, const TopKSpec& spec);

}  // namespace nereid::engine
