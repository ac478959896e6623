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

enum class ResizeMode { kNearest, kLinear, kCubic };
enum class ResizeCoordinates {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric
};
enum class ResizeRounding { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };

// ONNX's Resize of the two image extents. Input: x. Output: y, of the same type and layout.
struct ResizeSpec {
  DataType type = DataType::kFp32;
  bool channels_last = false;
  int64_t n = 1, channels = 1, in_h = 1, in_w = 1, out_h = 1, out_w = 1;
  // Output over input extent as the model gives it; 0: out/in.
  float scale_h = 0, scale_w = 0;
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kHalfPixel;
  ResizeRounding rounding = ResizeRounding::kRoundPreferFloor;
  float cubic_coefficient = -0.75f;
  bool exclude_outside = false;  // kCubic only
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeResize(Toolbox& toolbox, const ResizeSpec& spec);

}  // namespace nereid::engine
