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

enum class ScatterReduction { kNone, kAdd, kMul, kMax, kMin };

// ONNX's ScatterND and ScatterElements: y is a copy of x with updates put, or combined, in. Inputs:
// x, indices, updates. Output: y; may be x's memory. Indices out of range are left out. Without a
// reduction equal indices must not occur twice (ONNX leaves the result open); with one, floating
// sums are made in any order.
struct ScatterNdSpec {
  DataType type = DataType::kFp32;
  ScatterReduction reduction = ScatterReduction::kNone;
  Shape shape;          // of x
  Shape indices_shape;  // kInt64; the last extent counts the axes of x that an index names
};
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeScatterNd(Toolbox& toolbox,
                                                        const ScatterNdSpec& spec);

struct ScatterElementsSpec {
  DataType type = DataType::kFp32;
  DataType index_type = DataType::kInt64;
  ScatterReduction reduction = ScatterReduction::kNone;
  Shape shape;          // of x
  Shape indices_shape;  // and of the updates
  int64_t axis = 0;
};
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeScatterElements(Toolbox& toolbox,
                                                              const ScatterElementsSpec& spec);

}  // namespace nereid::engine
