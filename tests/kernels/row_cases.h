#pragma once

#include <algorithm>

#include "kernels/norm/norm.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"
#include "tests/kernels/kernel_case.h"

namespace nereid::engine {

inline void AddSoftmaxCase(KernelCases* cases, const SoftmaxSpec& spec) {
  cases->push_back({"softmax",
                    StrCat(spec.outer, "×", spec.n, "×", spec.inner, spec.log ? " log " : " ",
                           NameOf(spec.type), spec.out_type == DataType::kInvalid ? "" : " to ",
                           spec.out_type == DataType::kInvalid ? "" : NameOf(spec.out_type)),
                    [=](Toolbox& toolbox) { return MakeSoftmax(toolbox, spec); },
                    [=] {
                      CaseData data;
                      const int64_t count = spec.outer * spec.n * spec.inner;
                      const DataType out_type =
                          spec.out_type == DataType::kInvalid ? spec.type : spec.out_type;
                      data.inputs = {Random(spec.type, count, -4, 4)};
                      data.outputs = {Expected(out_type, count)};
                      const auto& x = data.inputs[0].values;
                      auto& y = data.outputs[0].values;
                      for (int64_t o = 0; o < spec.outer; ++o) {
                        for (int64_t i = 0; i < spec.inner; ++i) {
                          const auto at = [&](int64_t j) {
                            return static_cast<size_t>((o * spec.n + j) * spec.inner + i);
                          };
                          double sum = 0;
                          for (int64_t j = 0; j < spec.n; ++j) sum += std::exp(x[at(j)]);
                          for (int64_t j = 0; j < spec.n; ++j) {
                            y[at(j)] =
                                spec.log ? x[at(j)] - std::log(sum) : std::exp(x[at(j)]) / sum;
                          }
                        }
                      }
                      return data;
                    }});
}

inline void AddSoftmaxCases(KernelCases* cases) {
  for (const DataType type : kFloatTypes) {
    for (const bool log : {false, true}) {
      AddSoftmaxCase(cases, {type, 5, 7, 1, log});
      AddSoftmaxCase(cases, {type, 3, 1000, 1, log});
      AddSoftmaxCase(cases, {type, 2, 5000, 1, log});
      AddSoftmaxCase(cases, {type, 2, 10000, 1, log});
      AddSoftmaxCase(cases, {type, 3, 17, 19, log});
    }
    AddSoftmaxCase(cases, {type, 12 * 128 * 32, 128, 1, false});
    for (const int64_t n : {7, 6625, 10000}) {
      AddSoftmaxCase(cases, {type, 40, n, 1, false, DataType::kFp32});
    }
  }
}

inline void AddRowNormCase(KernelCases* cases, const RowNormSpec& spec) {
  cases->push_back({"norm",
                    StrCat(spec.rms ? "RMS " : "layer ", spec.rows, "×", spec.n,
                           spec.has_residual ? " + residual " : " ", NameOf(spec.type)),
                    [=](Toolbox& toolbox) { return MakeRowNorm(toolbox, spec); },
                    [=] {
                      CaseData data;
                      const int64_t count = spec.rows * spec.n;
                      data.inputs = {
                          Random(spec.type, count, -2, 3),
                          Random(spec.scale_type, spec.n, 0.5, 1.5, 2),
                          spec.has_bias ? Random(spec.scale_type, spec.n, -1, 1, 3) : CaseTensor{},
                          spec.has_residual ? Random(spec.type, count, -1, 1, 4) : CaseTensor{}};
                      data.outputs = {Expected(spec.type, count)};
                      if (spec.sum_output) data.outputs.push_back(Expected(spec.type, count));
                      const auto n = static_cast<size_t>(spec.n);
                      for (size_t r = 0; r < static_cast<size_t>(spec.rows); ++r) {
                        std::vector<double> row(n);
                        double mean = 0, squares = 0;
                        for (size_t i = 0; i < n; ++i) {
                          row[i] = data.inputs[0].values[r * n + i];
                          if (spec.has_residual) row[i] += data.inputs[3].values[r * n + i];
                          if (spec.sum_output) data.outputs[1].values[r * n + i] = row[i];
                          mean += row[i] / double(n);
                        }
                        if (spec.rms) mean = 0;
                        for (const double v : row) squares += (v - mean) * (v - mean) / double(n);
                        for (size_t i = 0; i < n; ++i) {
                          double z = (row[i] - mean) / std::sqrt(squares + double(spec.epsilon)) *
                                     data.inputs[1].values[i];
                          if (spec.has_bias) z += data.inputs[2].values[i];
                          data.outputs[0].values[r * n + i] = z;
                        }
                      }
                      return data;
                    }});
}

inline void AddGroupNormCase(KernelCases* cases, const GroupNormSpec& spec) {
  cases->push_back(
      {"norm",
       StrCat("group ", spec.n, "×", spec.channels, "×", spec.pixels, " in ", spec.groups,
              spec.channels_last ? " NHWC " : " NCHW ", NameOf(spec.type)),
       [=](Toolbox& toolbox) { return MakeGroupNorm(toolbox, spec); },
       [=] {
         CaseData data;
         const int64_t count = spec.n * spec.channels * spec.pixels,
                       size = spec.channels / spec.groups;
         data.inputs = {Random(spec.type, count, -2, 3),
                        Random(spec.scale_type, spec.channels, 0.5, 1.5, 2),
                        Random(spec.scale_type, spec.channels, -1, 1, 3)};
         data.outputs = {Expected(spec.type, count)};
         for (int64_t b = 0; b < spec.n; ++b) {
           for (int64_t g = 0; g < spec.groups; ++g) {
             const auto each = [&](const auto& visit) {
               for (int64_t c = g * size; c < (g + 1) * size; ++c) {
                 for (int64_t p = 0; p < spec.pixels; ++p) {
                   visit(static_cast<size_t>(spec.channels_last
                                                 ? (b * spec.pixels + p) * spec.channels + c
                                                 : (b * spec.channels + c) * spec.pixels + p),
                         static_cast<size_t>(c));
                 }
               }
             };
             const double total = double(size * spec.pixels);
             double mean = 0, squares = 0;
             each([&](size_t at, size_t) { mean += data.inputs[0].values[at] / total; });
             each([&](size_t at, size_t) {
               squares += std::pow(data.inputs[0].values[at] - mean, 2) / total;
             });
             each([&](size_t at, size_t c) {
               const double z = (data.inputs[0].values[at] - mean) /
                                    std::sqrt(squares + double(spec.epsilon)) *
                                    data.inputs[1].values[c] +
                                data.inputs[2].values[c];
               data.outputs[0].values[at] = spec.swish ? z / (1 + std::exp(-z)) : z;
             });
           }
         }
         return data;
       }});
}

inline void AddNormCases(KernelCases* cases) {
  for (const DataType type : kFloatTypes) {
    for (const bool rms : {false, true}) {
      for (const bool residual : {false, true}) {
        for (const int64_t n : {7, 768, 1028, 14000}) {
          AddRowNormCase(cases,
                         {type, type, 5, n, 1e-5f, rms, true, !rms, residual, residual, false});
        }
      }
    }
    AddRowNormCase(cases, {type, type, 16384, 768, 1e-5f, false, true, true, true, false, false});
    for (const auto& [rows, n] : {std::array<int64_t, 2>{128, 768},
                                  {1025, 1024},
                                  {700, 100},
                                  {3, 4096},
                                  {2, 5120},
                                  {2, 16411},
                                  {1, 70000}}) {
      AddRowNormCase(cases, {type, DataType::kFp32, rows, n, 1e-5f, false, true, true, true, true});
    }
    AddRowNormCase(cases, {type, DataType::kFp32, 16384, 768, 1e-5f, false, true, true});
    for (const bool last : {false, true}) {
      AddGroupNormCase(cases, {type, type, 2, 32, 49, 8, 1e-5f, last, true, true, true});
      AddGroupNormCase(cases,
                       {type, DataType::kFp32, 3, 6, 100, 6, 1e-5f, last, true, true, false});
    }
  }
}

inline double ReduceReference(Reduction reduction, const std::vector<double>& x) {
  double sum = 0, product = 1, absolute = 0, squares = 0, exponentials = 0;
  for (const double v : x) {
    sum += v;
    product *= v;
    absolute += std::fabs(v);
    squares += v * v;
    exponentials += std::exp(v);
  }
  switch (reduction) {
    case Reduction::kSum:
      return sum;
    case Reduction::kMean:
      return sum / double(x.size());
    case Reduction::kMax:
      return *std::max_element(x.begin(), x.end());
    case Reduction::kMin:
      return *std::min_element(x.begin(), x.end());
    case Reduction::kProd:
      return product;
    case Reduction::kL1:
      return absolute;
    case Reduction::kL2:
      return std::sqrt(squares);
    case Reduction::kSumSquare:
      return squares;
    case Reduction::kLogSum:
      return std::log(sum);
    default:
      return std::log(exponentials);
  }
}

inline void AddReduceCase(KernelCases* cases, const ReduceSpec& spec, double low, double high) {
  cases->push_back(
      {"reduce",
       StrCat("kind ", static_cast<int>(spec.reduction), " ", ShapeToString(spec.shape), " axes ",
              ShapeToString(spec.axes), " ", NameOf(spec.type)),
       [=](Toolbox& toolbox) { return MakeReduce(toolbox, spec); },
       [=] {
         int64_t count = 1;
         for (const int64_t extent : spec.shape) count *= extent;
         CaseData data;
         data.inputs = {Random(spec.type, count, low, high)};
         std::vector<std::vector<double>> groups;
         for (int64_t i = 0; i < count; ++i) {
           int64_t rest = i, result = 0, step = 1;
           for (size_t d = spec.shape.size(); d-- > 0;) {
             const int64_t at = rest % spec.shape[d];
             rest /= spec.shape[d];
             if (std::find(spec.axes.begin(), spec.axes.end(), int64_t(d)) == spec.axes.end()) {
               result += at * step;
               step *= spec.shape[d];
             }
           }
           if (groups.size() <= static_cast<size_t>(result))
             groups.resize(static_cast<size_t>(result) + 1);
           groups[static_cast<size_t>(result)].push_back(
               data.inputs[0].values[static_cast<size_t>(i)]);
         }
         data.outputs = {Expected(spec.type, static_cast<int64_t>(groups.size()))};
         for (size_t i = 0; i < groups.size(); ++i) {
           data.outputs[0].values[i] =
               Rounded(spec.type, ReduceReference(spec.reduction, groups[i]));
         }
         return data;
       }});
}

inline void AddReduceCases(KernelCases* cases) {
  for (int kind = 0; kind < 10; ++kind) {
    const auto reduction = static_cast<Reduction>(kind);
    for (const DataType type : {DataType::kFp32, DataType::kFp16, DataType::kFp64}) {
      AddReduceCase(cases, {type, reduction, {4, 6, 35}, {2}}, 0.6, 1.4);
      AddReduceCase(cases, {type, reduction, {3, 20, 50}, {1}}, 0.6, 1.4);
      AddReduceCase(cases, {type, reduction, {3, 5, 4, 7}, {0, 2}}, 0.6, 1.4);
    }
    if (reduction != Reduction::kLogSumExp && reduction != Reduction::kLogSum &&
        reduction != Reduction::kL2) {
      AddReduceCase(cases, {DataType::kInt32, reduction, {4, 5, 6}, {0, 1}}, 1, 3);
    }
  }
  for (const DataType type : kFloatTypes) {
    AddReduceCase(cases, {type, Reduction::kMean, {1 << 20}, {0}}, 0, 2);
    AddReduceCase(cases, {type, Reduction::kSum, {32, 5000}, {1}}, 0, 2);
    AddReduceCase(cases, {type, Reduction::kMean, {128, 49, 2048}, {1}}, 0, 2);
    AddReduceCase(cases, {type, Reduction::kMean, {128, 2048, 49}, {2}}, 0, 2);
  }
  for (const DataType type : {DataType::kFp32, DataType::kFp16, DataType::kInt64}) {
    for (const bool min : {false, true}) {
      for (const auto& [outer, n, inner] :
           {std::array<int64_t, 3>{4, 1000, 1}, {3, 7, 40}, {2, 300, 3}}) {
        const ArgReduceSpec spec = {type, min, false, outer, n, inner};
        cases->push_back(
            {"reduce",
             StrCat(min ? "ArgMin " : "ArgMax ", outer, "×", n, "×", inner, " ", NameOf(type)),
             [=](Toolbox& toolbox) { return MakeArgReduce(toolbox, spec); },
             [=] {
               CaseData data;
               data.inputs = {Random(type, spec.outer * spec.n * spec.inner, -100, 100)};
               data.outputs = {Expected(DataType::kInt64, spec.outer * spec.inner)};
               for (int64_t o = 0; o < spec.outer; ++o) {
                 for (int64_t i = 0; i < spec.inner; ++i) {
                   const auto at = [&](int64_t j) {
                     const double v =
                         data.inputs[0]
                             .values[static_cast<size_t>((o * spec.n + j) * spec.inner + i)];
                     return spec.min ? -v : v;
                   };
                   int64_t best = 0;
                   for (int64_t j = 1; j < spec.n; ++j) {
                     if (at(j) > at(best)) best = j;
                   }
                   data.outputs[0].values[static_cast<size_t>(o * spec.inner + i)] = double(best);
                 }
               }
               return data;
             }});
      }
    }
  }
}

}  // namespace nereid::engine
