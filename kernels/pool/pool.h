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

// Two-dimensional pooling (one-dimensional: height 1). Input: x. Output: y.
struct PoolSpec {
  DataType type = DataType::kFp32;
  bool max = true;  // else the average
  bool channels_last = false;
  int64_t n = 1, channels = 1, h = 1, w = 1;
  int64_t out_h = 1, out_w = 1;  // as ceil_mode decides
  std::array<int64_t, 2> window = {1, 1};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 2> dilation = {1, 1};
  std::array<int64_t, 2> pad_begin = {0, 0};
  std::array<int64_t, 2> pad_end = {0, 0};
  bool count_include_pad = false;
};
absl::StatusOr<std::unique_ptr<DeviceOp>> MakePool(Toolbox& toolbox, const PoolSpec& spec);

// Over all pixels: [n, channels, pixels] or [n, pixels, channels] → [n, channels].
struct GlobalPoolSpec {
  DataType type = DataType::kFp32;
  bool max = false;
  bool channels_last = false;
  int64_t n = 1, channels = 1, pixels = 1;
};
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGlobalPool(Toolbox& toolbox,
                                                         const GlobalPoolSpec& spec);

}  // namespace nereid::engine
