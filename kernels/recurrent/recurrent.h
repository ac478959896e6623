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

enum class RecurrentCell { kLstm, kGru };

// The recurrent part of ONNX's LSTM and GRU, one direction: the caller has made, with one product,
// the inputs' part of the gates. Gates are in ONNX's order (LSTM i o f c; GRU z r h); default
// activations.
// Inputs: x·Wᵀ + Wb [steps, batch, gates·hidden] (with Rb added too, except GRU's for h); R
// [gates·hidden, hidden]; the last [hidden] of Rb or 0 (GRU only); initial h [batch, hidden] or 0;
// initial c or 0 (LSTM only); sequence lengths [batch] int32 or 0; peepholes [3·hidden] (i o f) or
// 0. Outputs: y with element (t, b, i) at t·y_step + b·y_batch + i, or 0; last h [batch, hidden] or
// 0; last c or 0. Types: kFp32, kFp16, kBf16 throughout; states are kept in fp32.
struct RecurrentSpec {
  RecurrentCell cell = RecurrentCell::kLstm;
  DataType type = DataType::kFp32;
  int64_t steps = 1, batch = 1, hidden = 1;
  bool reverse = false;
  bool linear_before_reset = false;  // GRU
  int64_t y_step = 0, y_batch = 0;   // 0: batch·hidden, hidden
  // Elements between steps and batch rows of the gates' input; 0: dense.
  int64_t x_step = 0, x_batch = 0;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRecurrent(Toolbox& toolbox,
                                                        const RecurrentSpec& spec);

}  // namespace nereid::engine
