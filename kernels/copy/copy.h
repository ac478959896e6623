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

// y[i] = x[i] for every i of `shape`, each side with strides (in elements; those of x may be 0 or
// negative) and an offset: slices with any step, expand, tile, concat and split are made of it.
struct StridedCopySpec {
  DataType type = DataType::kFp32;
  Shape shape;
  std::vector<int64_t> in_strides;
  std::vector<int64_t> out_strides;
  int64_t in_offset = 0;
  int64_t out_offset = 0;
};

// Input: x. Output: y.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeStridedCopy(Toolbox& toolbox,
                                                          const StridedCopySpec& spec);

// ONNX's Slice of a dense tensor: starts and steps are final (clamped, not negative starts), one
// for each axis; `out` gives the extents.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeSlice(Toolbox& toolbox, DataType type,
                                                    const Shape& in, const Shape& out,
                                                    const std::vector<int64_t>& starts,
                                                    const std::vector<int64_t>& steps);
// ONNX's Expand, for dense tensors.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeExpand(Toolbox& toolbox, DataType type,
                                                     const Shape& in, const Shape& out);
// ONNX's Tile.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTile(Toolbox& toolbox, DataType type, const Shape& in,
                                                   const std::vector<int64_t>& repeats);
// Bytes from input 0 to output 0 as they are.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeCopyBytes(Toolbox& toolbox, size_t bytes);

}  // namespace nereid::engine
