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

enum class PadMode { kConstant, kEdge, kReflect, kWrap };

// ONNX's Pad: begins and ends for every axis, negative ones cut. Inputs: x; the value (one element
// of x's type) or 0 when `value` holds. Output: y.
struct PadSpec {
  DataType type = DataType::kFp32;
  PadMode mode = PadMode::kConstant;
  Shape shape;  // of x
  std::vector<int64_t> begins, ends;
  double value = 0;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakePad(Toolbox& toolbox, const PadSpec& spec);

}  // namespace nereid::engine
