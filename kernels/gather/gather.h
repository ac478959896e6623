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

// Negative indices count from the end; those out of range read zero. index_type: kInt32 or kInt64.

// y[o, j, i] = x[o, indices[j], i], x dense [outer, n, inner], count indices. Inputs: x, indices.
struct GatherSpec {
  DataType type = DataType::kFp32;
  DataType index_type = DataType::kInt64;
  int64_t outer = 1, n = 1, inner = 1, count = 1;
};
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGather(Toolbox& toolbox, const GatherSpec& spec);

// ONNX's GatherElements: the shape of the indices is that of y. Inputs: x, indices.
struct GatherElementsSpec {
  DataType type = DataType::kFp32;
  DataType index_type = DataType::kInt64;
  Shape shape;          // of x
  Shape indices_shape;  // and of y
  int64_t axis = 0;
};
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGatherElements(Toolbox& toolbox,
                                                             const GatherElementsSpec& spec);

// ONNX's GatherND. Inputs: x, indices (int64).
struct GatherNdSpec {
  DataType type = DataType::kFp32;
  Shape shape;          // of x
  Shape indices_shape;  // the last extent counts the axes of x that an index names
  int64_t batch_dims = 0;
};
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGatherNd(Toolbox& toolbox, const GatherNdSpec& spec);

}  // namespace nereid::engine
