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

// y[i] = start + i · delta; inputs: start and delta, one element each of y's type. Output: y.
struct RangeSpec {
  DataType type = DataType::kInt64;
  int64_t count = 0;
};
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRange(Toolbox& toolbox, const RangeSpec& spec);

// Every element of the output is `value`, converted to its type.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFill(Toolbox& toolbox, DataType type, int64_t count,
                                                   double value);

}  // namespace nereid::engine
