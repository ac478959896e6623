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

// y = softmax(x) or its logarithm along the middle extent of a dense [outer, n, inner] tensor.
// Input: x. Output: y. Both kFp32, kFp16 or kBf16; of one type, they may share memory.
struct SoftmaxSpec {
  DataType type = DataType::kFp32;
  int64_t outer = 1, n = 1, inner = 1;
  bool log = false;
  DataType out_type = DataType::kInvalid;  // kInvalid: as `type`
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeSoftmax(Toolbox& toolbox, const SoftmaxSpec& spec);

}  // namespace nereid::engine
