#pragma once

#include "kernels/attention/attention.h"
#include "kernels/recurrent/recurrent.h"
#include "tests/kernels/kernel_case.h"

namespace nereid::engine {

// Dense operands; a mask of [batch, 1, 1, keys] ("row" false) or [queries, keys].
inline void AddAttentionCase(KernelCases* cases, AttentionSpec spec, bool row_mask) {
  if (spec.has_mask) {
    spec.mask_strides = row_mask ? std::array<int64_t, 4>{0, 0, spec.keys, 1}
                                 : std::array<int64_t, 4>{spec.keys, 0, 0, 1};
  }
  KernelCase c;
  c.op = "attention";
  c.name =
      StrCat(spec.batch, "×", spec.heads, "×", spec.queries, "×", spec.keys, "×", spec.head_dim,
             spec.kv_heads > 0 ? " shared" : "", spec.causal ? " causal" : "",
             spec.has_mask ? row_mask ? " [M,N] mask" : " [B,N] mask" : "", " ", NameOf(spec.type));
  c.make = [=](Toolbox& toolbox) { return MakeAttention(toolbox, spec); };
  c.flops = 4.0 * double(spec.batch * spec.heads * spec.queries * spec.keys * spec.head_dim);
  c.data = [=] {
    const int64_t kv = spec.kv_heads == 0 ? spec.heads : spec.kv_heads;
    const int64_t e = spec.value_dim == 0 ? spec.head_dim : spec.value_dim, d = spec.head_dim;
    const bool boolean = spec.mask_type == DataType::kBool;
    CaseData data;
    data.inputs = {Random(spec.type, spec.batch * spec.heads * spec.queries * d),
                   Random(spec.type, spec.batch * kv * spec.keys * d, -1, 1, 2),
                   Random(spec.type, spec.batch * kv * spec.keys * e, -1, 1, 3),
                   {}};
    if (spec.has_mask) {
      data.inputs[3] =
          Random(boolean ? DataType::kFp32 : spec.type,
                 row_mask ? spec.queries * spec.keys : spec.batch * spec.keys, -2, 2, 4);
      if (boolean) {
        for (double& v : data.inputs[3].values) v = v > -1;
        data.inputs[3].type = DataType::kBool;
      }
    }
    data.outputs = {Expected(spec.type, spec.batch * spec.heads * spec.queries * e)};
    // Of a large case some rows are compared.
    const int64_t rows = spec.batch * spec.heads * spec.queries;
    const int64_t every = std::max<int64_t>(rows * spec.keys * d / 20'000'000, 1);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t m = r % spec.queries, h = r / spec.queries % spec.heads,
                    b = r / spec.queries / spec.heads;
      const auto key_head = b * kv + h / (spec.heads / kv);
      std::vector<double> weights(static_cast<size_t>(spec.keys));
      double sum = 0;
      for (int64_t n = 0; n < spec.keys && r % every == 0; ++n) {
        double dot = 0;
        for (int64_t i = 0; i < d; ++i) {
          dot += data.inputs[0].values[static_cast<size_t>(r * d + i)] *
                 data.inputs[1].values[static_cast<size_t>((key_head * spec.keys + n) * d + i)];
        }
        dot *= double(spec.scale);
        bool seen = !spec.causal || n <= m + spec.keys - spec.queries;
        if (spec.has_mask) {
          const double addend =
              data.inputs[3].values[static_cast<size_t>((row_mask ? m : b) * spec.keys + n)];
          if (boolean)
            seen = seen && addend != 0;
          else
            dot += addend;
        }
        weights[static_cast<size_t>(n)] = seen ? std::exp(dot) : 0;
        sum += weights[static_cast<size_t>(n)];
      }
      for (int64_t j = 0; j < e; ++j) {
        double total = 0;
        for (int64_t n = 0; n < spec.keys && r % every == 0; ++n) {
          total += weights[static_cast<size_t>(n)] *
                   data.inputs[2].values[static_cast<size_t>((key_head * spec.keys + n) * e + j)];
        }
        data.outputs[0].values[static_cast<size_t>(r * e + j)] = r % every != 0 ? NAN
                                                                 : sum > 0      ? total / sum
                                                                                : 0;
      }
    }
    return data;
  };
  cases->push_back(std::move(c));
}

inline void AddAttentionCases(KernelCases* cases) {
  for (const DataType type : kFloatTypes) {
    for (const auto& [queries, keys, dim] : {std::array<int64_t, 3>{128, 128, 64},
                                             {70, 197, 32},
                                             {5, 33, 80},
                                             {65, 64, 128},
                                             {3, 7, 20}}) {
      AttentionSpec spec;
      spec.type = type;
      spec.batch = 2;
      spec.heads = 4;
      spec.queries = queries;
      spec.keys = keys;
      spec.head_dim = dim;
      spec.scale = 1 / std::sqrt(static_cast<float>(dim));
      AddAttentionCase(cases, spec, false);
      spec.has_mask = true;
      AddAttentionCase(cases, spec, false);
      AddAttentionCase(cases, spec, true);
      spec.mask_type = DataType::kBool;
      AddAttentionCase(cases, spec, true);
      spec.has_mask = false;
      spec.mask_type = DataType::kInvalid;
      spec.causal = true;
      spec.kv_heads = 2;
      AddAttentionCase(cases, spec, false);
    }
    AttentionSpec large;
    large.type = type;
    large.batch = 64;
    large.heads = 12;
    large.queries = large.keys = 197;
    large.scale = 0.125f;
    AddAttentionCase(cases, large, false);
  }
}

inline double LogisticOf(double x) { return 1 / (1 + std::exp(-x)); }

inline void AddRecurrentCase(KernelCases* cases, const RecurrentSpec& spec, bool peephole) {
  const bool lstm = spec.cell == RecurrentCell::kLstm;
  KernelCase c;
  c.op = "recurrent";
  c.name = StrCat(lstm ? "LSTM " : "GRU ", spec.steps, "×", spec.batch, "×", spec.hidden,
                  spec.reverse ? " reverse" : "", spec.linear_before_reset ? " linear" : "",
                  peephole ? " peephole " : " ", NameOf(spec.type));
  c.make = [=](Toolbox& toolbox) { return MakeRecurrent(toolbox, spec); };
  c.data = [=] {
    const int64_t n = spec.hidden, gates = lstm ? 4 : 3;
    CaseData data;
    CaseTensor lengths{DataType::kInt32, {}};
    for (int64_t b = 0; b < spec.batch; ++b)
      lengths.values.push_back(double(std::max<int64_t>(spec.steps - b % 3, 1)));
    data.inputs = {Random(spec.type, spec.steps * spec.batch * gates * n),
                   Random(spec.type, gates * n * n, -0.2, 0.2, 2),
                   lstm ? CaseTensor{} : Random(spec.type, n, -1, 1, 3),
                   Random(spec.type, spec.batch * n, -1, 1, 4),
                   lstm ? Random(spec.type, spec.batch * n, -1, 1, 5) : CaseTensor{},
                   lengths,
                   peephole ? Random(spec.type, 3 * n, -1, 1, 6) : CaseTensor{}};
    data.outputs = {Expected(spec.type, spec.steps * spec.batch * n),
                    Expected(spec.type, spec.batch * n)};
    if (lstm) data.outputs.push_back(Expected(spec.type, spec.batch * n));
    const auto& in = data.inputs;
    for (int64_t b = 0; b < spec.batch; ++b) {
      std::vector<double> h(in[3].values.begin() + b * n, in[3].values.begin() + (b + 1) * n),
          cell(static_cast<size_t>(n), 0);
      if (lstm) cell.assign(in[4].values.begin() + b * n, in[4].values.begin() + (b + 1) * n);
      const auto length = static_cast<int64_t>(lengths.values[static_cast<size_t>(b)]);
      for (int64_t s = 0; s < length; ++s) {
        const int64_t step = spec.reverse ? length - 1 - s : s;
        const auto x = [&](int64_t gate, int64_t i) {
          return in[0]
              .values[static_cast<size_t>(((step * spec.batch + b) * gates + gate) * n + i)];
        };
        const auto product = [&](int64_t gate, int64_t i, const std::vector<double>& state) {
          double sum = 0;
          for (int64_t j = 0; j < n; ++j)
            sum += in[1].values[static_cast<size_t>((gate * n + i) * n + j)] *
                   state[static_cast<size_t>(j)];
          return sum;
        };
        std::vector<double> next(h.size()), reset(h.size());
        for (int64_t i = 0; !lstm && i < n; ++i) {
          reset[static_cast<size_t>(i)] =
              LogisticOf(x(1, i) + product(1, i, h)) * h[static_cast<size_t>(i)];
        }
        for (int64_t i = 0; i < n; ++i) {
          const auto at = static_cast<size_t>(i), wide = static_cast<size_t>(n);
          if (lstm) {
            const auto& p = in[6].values;
            const double old = cell[at];
            const double gi = LogisticOf(x(0, i) + product(0, i, h) + (peephole ? p[at] * old : 0));
            const double gf =
                LogisticOf(x(2, i) + product(2, i, h) + (peephole ? p[2 * wide + at] * old : 0));
            cell[at] = gf * old + gi * std::tanh(x(3, i) + product(3, i, h));
            next[at] =
                LogisticOf(x(1, i) + product(1, i, h) + (peephole ? p[wide + at] * cell[at] : 0)) *
                std::tanh(cell[at]);
          } else {
            const double z = LogisticOf(x(0, i) + product(0, i, h)),
                         r = LogisticOf(x(1, i) + product(1, i, h));
            const double bias = in[2].values[at];
            const double candidate =
                std::tanh(x(2, i) + (spec.linear_before_reset ? r * (product(2, i, h) + bias)
                                                              : product(2, i, reset) + bias));
            next[at] = (1 - z) * candidate + z * h[at];
          }
        }
        h = next;
        for (int64_t i = 0; i < n; ++i)
          data.outputs[0].values[static_cast<size_t>((step * spec.batch + b) * n + i)] =
              h[static_cast<size_t>(i)];
      }
      std::copy(h.begin(), h.end(), data.outputs[1].values.begin() + b * n);
      if (lstm) std::copy(cell.begin(), cell.end(), data.outputs[2].values.begin() + b * n);
    }
    return data;
  };
  cases->push_back(std::move(c));
}

inline void AddRecurrentCases(KernelCases* cases) {
  for (const DataType type : kFloatTypes) {
    for (const bool reverse : {false, true}) {
      AddRecurrentCase(cases, {RecurrentCell::kLstm, type, 7, 5, 48, reverse}, false);
      AddRecurrentCase(cases, {RecurrentCell::kLstm, type, 4, 3, 20, reverse}, true);
      AddRecurrentCase(cases, {RecurrentCell::kGru, type, 7, 5, 48, reverse, false}, false);
      AddRecurrentCase(cases, {RecurrentCell::kGru, type, 7, 5, 48, reverse, true}, false);
    }
    AddRecurrentCase(cases, {RecurrentCell::kLstm, type, 40, 4, 256}, false);
  }
}

}  // namespace nereid::engine
