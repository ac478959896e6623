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

// ONNX's Trilu on a dense [batch, rows, columns] tensor. Input: x. Output: y; may be x's memory.
struct TriluSpec {
  DataType type = DataType::kFp32;
  bool upper = true;
  int64_t batch = 1, rows = 1, columns = 1, k = 0;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTrilu(Toolbox& toolbox, const TriluSpec& spec);

}  // namespace nereid::engine
