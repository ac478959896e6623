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

// Joins dense tensors along `axis`. Inputs: as many as `shapes`, any number. Output: y.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeConcat(Toolbox& toolbox, DataType type,
                                                     const std::vector<Shape>& shapes,
                                                     int64_t axis);
// Cuts a dense tensor along `axis` into parts of these extents. Input: x. Outputs: the parts (0:
// not wanted).
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeSplit(Toolbox& toolbox, DataType type,
                                                    const Shape& shape, int64_t axis,
                                                    const std::vector<int64_t>& parts);

}  // namespace nereid::engine
