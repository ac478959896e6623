#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// One step in time of LSTM, GRU and RNN.

using Activation = std::function<double(double)>;

// The activations of these names, in whatever case; the node's activation_alpha and activation_beta
// are handed out in order to those that take them.
absl::StatusOr<std::vector<Activation>> ReadActivations(const Node& node,
                                                        const std::vector<std::string>& names);

// One direction of one operator: what its cell computes with. Matrices are dense, row by row.
struct Layer {
  int64_t hidden = 0;
  const Activation* activations = nullptr;
  const double* recurrence = nullptr;       // [gates · hidden, hidden]
  const double* recurrence_bias = nullptr;  // [gates · hidden]
  const double* peepholes = nullptr;        // [3 · hidden]; LSTM only
  double clip = 0;                          // 0: none
  bool linear_before_reset = false;         // GRU
  bool couples_input_and_forget = false;    // LSTM

  double Clipped(double x) const { return clip > 0 ? std::clamp(x, -clip, clip) : x; }
  // Row `row` of the recurrence times `state`.
  double Recur(int64_t row, const double* state) const {
    const double* weights = recurrence + row * hidden;
    double sum = 0;
    for (int64_t k = 0; k < hidden; ++k) sum += weights[k] * state[k];
    return sum;
  }
};

// What a cell reads and writes: `input` is W·x + bias of every gate, h and c the states.
struct Step {
  const double* input;
  double* h;
  double* c;
};

// h = f(W·x + R·h + biases)
void RnnCell(const Layer& layer, const Step& step, std::vector<double>& scratch);

// Gates in the order z, r, h.
void GruCell(const Layer& layer, const Step& step, std::vector<double>& scratch);

// Gates in the order i, o, f, c; peepholes in the order i, o, f.
void LstmCell(const Layer& layer, const Step& step, std::vector<double>& scratch);

}  // namespace nereid::engine
