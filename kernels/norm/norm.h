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

// Normalisation of rows: s = x + residual; y = (s − mean) · rsqrt(variance + epsilon) · scale +
// bias, or, with `rms`, y = s · rsqrt(mean(s²) + epsilon) · scale (+ bias). Inputs: x, scale (n) or
// 0, bias (n) or 0, residual (as x) or 0. Outputs: y; s when `sum_output`; mean and 1/deviation
// (fp32, one a row) when `statistics_output`, after the others.
struct RowNormSpec {
  DataType type = DataType::kFp32;  // of x, residual, y, s
  DataType scale_type = DataType::kFp32;
  int64_t rows = 1, n = 1;
  float epsilon = 1e-5f;
  bool rms = false;
  bool has_scale = true, has_bias = false, has_residual = false;
  bool sum_output = false;
  bool statistics_output = false;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRowNorm(Toolbox& toolbox, const RowNormSpec& spec);

// Group normalisation (instance normalisation when groups = channels) of [n, channels, pixels] or,
// with `channels_last`, [n, pixels, channels]; scale and bias have one element a channel.
// Inputs: x, scale or 0, bias or 0. Output: y. `swish` multiplies y by its sigmoid.
struct GroupNormSpec {
  DataType type = DataType::kFp32;
  DataType scale_type = DataType::kFp32;
  int64_t n = 1, channels = 1, pixels = 1, groups = 1;
  float epsilon = 1e-5f;
  bool channels_last = false;
  bool has_scale = true, has_bias = true;
  bool swish = false;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGroupNorm(Toolbox& toolbox,
                                                        const GroupNormSpec& spec);

}  // namespace nereid::engine
