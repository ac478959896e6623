#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/device/device_op.h"
#include "kernels/jit/toolbox.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid::engine {

enum class RecurrentCell { kLstm, kGru, kRnn };

// How many products with the state a cell makes: 4, 3, 1.
int64_t GatesOf(RecurrentCell cell);

// One of ONNX's activation functions of recurrent layers.
struct RecurrentActivation {
  std::string name;
  float alpha = 0, beta = 0;
};

// Fills in the activations of one direction after the other: `names` (in whatever case; short lists
// go on with the cell's defaults), with the numbers of alphas and betas handed out in order to
// those that take them. UNIMPLEMENTED for an unknown one.
absl::StatusOr<std::vector<RecurrentActivation>> ActivationsOf(
    RecurrentCell cell, int64_t directions, const std::vector<std::string>& names,
    absl::Span<const float> alphas, absl::Span<const float> betas);

// The recurrent part of ONNX's LSTM, GRU and RNN, of all directions: the caller has made, with one
// product, the inputs' part of the gates. Gates are in ONNX's order (LSTM i o f c; GRU z r h). With
// two directions the second goes backwards.
// Inputs: x·Wᵀ + Wb with, of each direction, gates·hidden elements (with Rb added too, except GRU's
// for h); R [directions, gates·hidden, hidden]; the last [directions, hidden] of Rb or 0 (GRU
// only); initial h or 0; initial c or 0 (LSTM only); sequence lengths [batch] int32 or 0; peepholes
// [directions, 3·hidden] (i o f) or 0.
// Outputs: y, or 0; last h or 0; last c or 0. Types: kFp32, kFp16, kBf16 throughout; states are
// kept in fp32.
struct RecurrentSpec {
  RecurrentCell cell = RecurrentCell::kLstm;
  DataType type = DataType::kFp32;
  int64_t steps = 1, batch = 1, hidden = 1;
  bool reverse = false;
  bool linear_before_reset = false;  // GRU
  int64_t directions = 1;
  // Elements between steps, batch rows and directions; x and y: 0 for a step means dense
  // [step, direction, batch, hidden] (x: [step, batch, direction, gates·hidden]); initial and last
  // states: 0 for a row means dense [direction, batch, hidden].
  int64_t x_step = 0, x_batch = 0, x_direction = 0;
  int64_t y_step = 0, y_batch = 0, y_direction = 0;
  int64_t state_batch = 0, state_direction = 0;
  bool couples_input_and_forget = false;  // LSTM
  float clip = 0;                         // of what activations get; 0: none
  // As ActivationsOf() gives them; empty: the cell's defaults.
  std::vector<RecurrentActivation> activations = {};
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRecurrent(Toolbox& toolbox,
                                                        const RecurrentSpec& spec);

}  // namespace nereid::engine
