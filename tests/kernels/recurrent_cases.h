#pragma once

#include <algorithm>

#include "kernels/recurrent/recurrent.h"
#include "tests/kernels/kernel_case.h"

namespace nereid::engine {

inline double LogisticOf(double x) { return 1 / (1 + std::exp(-x)); }

struct RecurrentExtras {
  bool peephole = false;
  bool batch_first = false;
  bool without_lengths = false;
};

// One sequence of one direction, in double.
class RecurrentOracle {
 public:
  RecurrentOracle(const RecurrentSpec& spec, const RecurrentExtras& extras, const CaseData& data)
      : spec_(spec), extras_(extras), in_(data.inputs), gates_(GatesOf(spec.cell)) {}

  // State at most; y[step] takes what each step gives.
  void Run(int64_t direction, int64_t row, int64_t length, std::vector<double>& h,
           std::vector<double>& c, std::vector<std::vector<double>>& y) const {
    for (int64_t s = 0; s < length; ++s) {
      const int64_t step = spec_.reverse || direction == 1 ? length - 1 - s : s;
      h = Next(direction, row, step, h, c);
      y[static_cast<size_t>(step)] = h;
    }
  }

 private:
  double At(size_t input, int64_t i) const { return in_[input].values[static_cast<size_t>(i)]; }
  double Limit(double x) const {
    return spec_.clip > 0 ? std::clamp<double>(x, -spec_.clip, spec_.clip) : x;
  }
  // Those that the cases use.
  double Activate(size_t which, double x) const {
    if (!spec_.activations.empty() && spec_.activations[which].name == "Affine")
      return double(spec_.activations[which].alpha) * x + double(spec_.activations[which].beta);
    if (!spec_.activations.empty() && spec_.activations[which].name == "Relu")
      return std::max(x, 0.0);
    const bool gate = spec_.cell != RecurrentCell::kRnn && which == 0;
    return gate ? LogisticOf(x) : std::tanh(x);
  }
  double Input(int64_t d, int64_t row, int64_t step, int64_t gate, int64_t i) const {
    const int64_t item = extras_.batch_first ? row * spec_.steps + step : step * spec_.batch + row;
    return At(0, ((item * spec_.directions + d) * gates_ + gate) * spec_.hidden + i);
  }
  double Product(int64_t d, int64_t gate, int64_t i, const std::vector<double>& state) const {
    double sum = 0;
    for (int64_t j = 0; j < spec_.hidden; ++j)
      sum += At(1, ((d * gates_ + gate) * spec_.hidden + i) * spec_.hidden + j) *
             state[static_cast<size_t>(j)];
    return sum;
  }
  double Peep(int64_t d, int64_t gate, int64_t i, double cell) const {
    return extras_.peephole ? At(6, (d * 3 + gate) * spec_.hidden + i) * cell : 0;
  }

  std::vector<double> Next(int64_t d, int64_t row, int64_t step, const std::vector<double>& h,
                           std::vector<double>& c) const {
    const auto sum = [&](int64_t gate, int64_t i, const std::vector<double>& state) {
      return Input(d, row, step, gate, i) + Product(d, gate, i, state);
    };
    std::vector<double> next(h.size()), reset(h.size());
    for (int64_t i = 0; spec_.cell == RecurrentCell::kGru && i < spec_.hidden; ++i) {
      const auto at = static_cast<size_t>(i);
      reset[at] = Activate(0, Limit(sum(1, i, h))) * h[at];
    }
    for (int64_t i = 0; i < spec_.hidden; ++i) {
      const auto at = static_cast<size_t>(i);
      if (spec_.cell == RecurrentCell::kLstm) {
        const double gi = Activate(0, Limit(sum(0, i, h) + Peep(d, 0, i, c[at])));
        const double gf = spec_.couples_input_and_forget
                              ? 1 - gi
                              : Activate(0, Limit(sum(2, i, h) + Peep(d, 2, i, c[at])));
        c[at] = gf * c[at] + gi * Activate(1, Limit(sum(3, i, h)));
        next[at] = Activate(0, Limit(sum(1, i, h) + Peep(d, 1, i, c[at]))) * Activate(2, c[at]);
      } else if (spec_.cell == RecurrentCell::kGru) {
        const double z = Activate(0, Limit(sum(0, i, h))), r = Activate(0, Limit(sum(1, i, h)));
        const double bias = At(2, d * spec_.hidden + i);
        const double recurrent = spec_.linear_before_reset ? r * (Product(d, 2, i, h) + bias)
                                                           : Product(d, 2, i, reset) + bias;
        next[at] = (1 - z) * Activate(1, Limit(Input(d, row, step, 2, i) + recurrent)) + z * h[at];
      } else {
        next[at] = Activate(0, Limit(sum(0, i, h)));
      }
    }
    return next;
  }

  const RecurrentSpec& spec_;
  const RecurrentExtras& extras_;
  const std::vector<CaseTensor>& in_;
  const int64_t gates_;
};

inline CaseData RecurrentData(const RecurrentSpec& spec, const RecurrentExtras& extras) {
  const bool lstm = spec.cell == RecurrentCell::kLstm, gru = spec.cell == RecurrentCell::kGru;
  const int64_t n = spec.hidden, gates = GatesOf(spec.cell), d = spec.directions;
  const int64_t states = d * spec.batch * n;
  CaseTensor lengths{DataType::kInt32, {}};
  for (int64_t b = 0; b < spec.batch; ++b) {
    lengths.values.push_back(
        double(extras.without_lengths ? spec.steps : std::max<int64_t>(spec.steps - b % 3, 1)));
  }
  CaseData data;
  data.inputs = {Random(spec.type, spec.steps * spec.batch * d * gates * n),
                 Random(spec.type, d * gates * n * n, -0.2, 0.2, 2),
                 gru ? Random(spec.type, d * n, -1, 1, 3) : CaseTensor{},
                 Random(spec.type, states, -1, 1, 4),
                 lstm ? Random(spec.type, states, -1, 1, 5) : CaseTensor{},
                 extras.without_lengths ? CaseTensor{} : lengths,
                 extras.peephole ? Random(spec.type, d * 3 * n, -1, 1, 6) : CaseTensor{}};
  data.outputs = {Expected(spec.type, spec.steps * states), Expected(spec.type, states)};
  if (lstm) data.outputs.push_back(Expected(spec.type, states));
  const RecurrentOracle oracle(spec, extras, data);
  for (int64_t b = 0; b < spec.batch; ++b) {
    for (int64_t direction = 0; direction < d; ++direction) {
      const int64_t state =
          (extras.batch_first ? b * d + direction : direction * spec.batch + b) * n;
      const auto part = [&](size_t input) {
        const auto& values = data.inputs[input].values;
        return values.empty()
                   ? std::vector<double>(static_cast<size_t>(n))
                   : std::vector<double>(values.begin() + state, values.begin() + state + n);
      };
      std::vector<double> h = part(3), c = part(4);
      std::vector<std::vector<double>> y(static_cast<size_t>(spec.steps),
                                         std::vector<double>(static_cast<size_t>(n)));
      oracle.Run(direction, b, static_cast<int64_t>(lengths.values[static_cast<size_t>(b)]), h, c,
                 y);
      for (int64_t step = 0; step < spec.steps; ++step) {
        const int64_t at = extras.batch_first ? ((b * spec.steps + step) * d + direction) * n
                                              : ((step * d + direction) * spec.batch + b) * n;
        std::ranges::copy(y[static_cast<size_t>(step)], data.outputs[0].values.begin() + at);
      }
      std::ranges::copy(h, data.outputs[1].values.begin() + state);
      if (lstm) std::ranges::copy(c, data.outputs[2].values.begin() + state);
    }
  }
  return data;
}

inline void AddRecurrentCase(KernelCases* cases, RecurrentSpec spec, RecurrentExtras extras = {}) {
  const int64_t n = spec.hidden, d = spec.directions;
  if (extras.batch_first) {
    spec.x_direction = GatesOf(spec.cell) * n;
    spec.x_step = d * spec.x_direction;
    spec.x_batch = spec.steps * spec.x_step;
    spec.y_direction = n;
    spec.y_step = d * n;
    spec.y_batch = spec.steps * spec.y_step;
    spec.state_direction = n;
    spec.state_batch = d * n;
  }
  constexpr const char* kCells[] = {"LSTM ", "GRU ", "RNN "};
  KernelCase c;
  c.op = "recurrent";
  c.name = StrCat(kCells[static_cast<size_t>(spec.cell)], spec.steps, "×", spec.batch, "×", n,
                  d == 2 ? " both ways" : "", spec.reverse ? " reverse" : "",
                  spec.linear_before_reset ? " linear" : "",
                  spec.couples_input_and_forget ? " coupled" : "", spec.clip > 0 ? " clipped" : "",
                  spec.activations.empty() ? "" : " activations",
                  extras.peephole ? " peephole" : "", extras.batch_first ? " batch first" : "",
                  extras.without_lengths ? " of one length " : " ", NameOf(spec.type));
  c.make = [=](Toolbox& toolbox) { return MakeRecurrent(toolbox, spec); };
  c.data = [=] { return RecurrentData(spec, extras); };
  c.flops = 2.0 * double(spec.steps * spec.batch * d * GatesOf(spec.cell) * n * n);
  cases->push_back(std::move(c));
}

inline void AddRecurrentCases(KernelCases* cases) {
  using enum RecurrentCell;
  for (const DataType type : kFloatTypes) {
    for (const bool reverse : {false, true}) {
      // Extents below those of clusters of blocks, above them, and not a multiple of anything.
      for (const int64_t hidden : {20, 48, 75}) {
        AddRecurrentCase(cases, {kLstm, type, 7, 5, hidden, reverse});
        AddRecurrentCase(cases, {kLstm, type, 4, 3, hidden, reverse}, {.peephole = true});
        AddRecurrentCase(cases, {kGru, type, 7, 5, hidden, reverse, false});
        AddRecurrentCase(cases, {kGru, type, 7, 5, hidden, reverse, true});
        AddRecurrentCase(cases, {kRnn, type, 7, 5, hidden, reverse});
      }
    }
    for (const RecurrentCell cell : {kLstm, kGru, kRnn}) {
      for (const bool batch_first : {false, true}) {
        for (const int64_t hidden : {12, 64}) {
          RecurrentSpec spec{cell, type, 6, 4, hidden};
          spec.directions = 2;
          AddRecurrentCase(cases, spec, {.batch_first = batch_first});
        }
      }
    }
    RecurrentSpec spec{kLstm, type, 5, 2, 40};
    spec.couples_input_and_forget = true;
    spec.clip = 0.25f;
    spec.activations = {{"Sigmoid"}, {"Affine", 0.5f, 0.25f}, {"Relu"}};
    AddRecurrentCase(cases, spec);
    AddRecurrentCase(cases, {kLstm, type, 40, 4, 256}, {.without_lengths = true});
    AddRecurrentCase(cases, {kGru, type, 20, 33, 256}, {.without_lengths = true});
    AddRecurrentCase(cases, {kLstm, type, 10, 2, 640}, {.without_lengths = true});
  }
}

}  // namespace nereid::engine
