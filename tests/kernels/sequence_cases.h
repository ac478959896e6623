#pragma once

#include "kernels/attention/attention.h"
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
    large.queries = large.keys = 128;
    large.has_mask = true;
    AddAttentionCase(cases, large, false);
    AttentionSpec wide;  // values wider than keys; more queries than keys they may see
    wide.type = type;
    wide.batch = 2;
    wide.heads = 3;
    wide.queries = 150;
    wide.keys = 70;
    wide.head_dim = 48;
    wide.value_dim = 96;
    AddAttentionCase(cases, wide, false);
    wide.causal = true;
    AddAttentionCase(cases, wide, false);
  }
}

}  // namespace nereid::engine
