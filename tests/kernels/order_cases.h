#pragma once

#include <algorithm>
#include <numeric>

#include "kernels/cumsum/cumsum.h"
#include "kernels/one_hot/one_hot.h"
#include "kernels/range/range.h"
#include "kernels/resize/resize.h"
#include "kernels/topk/topk.h"
#include "kernels/trilu/trilu.h"
#include "tests/kernels/move_cases.h"

namespace nereid::engine {

inline double ResizeSource(const ResizeSpec& spec, int64_t i, int64_t in, int64_t out) {
  const double given = double(in == spec.in_h ? spec.scale_h : spec.scale_w);
  const double scale = given > 0 ? given : double(out) / double(in), at = double(i);
  switch (spec.coordinates) {
    case ResizeCoordinates::kPytorchHalfPixel:
      return out > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case ResizeCoordinates::kAlignCorners:
      return scale * double(in) != 1 ? at * double(in - 1) / (scale * double(in) - 1) : 0;
    case ResizeCoordinates::kAsymmetric:
      return at / scale;
    default:
      return (at + 0.5) / scale - 0.5;
  }
}

// (position, weight) of every input element that output i takes part in.
inline std::vector<std::pair<int64_t, double>> ResizeTaps(const ResizeSpec& spec, int64_t i,
                                                          int64_t in, int64_t out) {
  double x = ResizeSource(spec, i, in, out);
  const auto clamp = [&](double v) {
    return static_cast<int64_t>(std::fmin(std::fmax(v, 0), double(in - 1)));
  };
  if (spec.mode == ResizeMode::kNearest) {
    switch (spec.rounding) {
      case ResizeRounding::kRoundPreferFloor:
        return {{clamp(std::ceil(x - 0.5)), 1}};
      case ResizeRounding::kRoundPreferCeil:
        return {{clamp(std::floor(x + 0.5)), 1}};
      case ResizeRounding::kFloor:
        return {{clamp(std::floor(x)), 1}};
      default:
        return {{clamp(std::ceil(x)), 1}};
    }
  }
  const double base = std::floor(x), f = x - base;
  if (spec.mode == ResizeMode::kLinear) return {{clamp(base), 1 - f}, {clamp(base + 1), f}};
  const double a = double(spec.cubic_coefficient);
  std::vector<std::pair<int64_t, double>> taps;
  double sum = 0;
  for (int t = -1; t <= 2; ++t) {
    const double d = std::fabs(f - t);
    double w =
        d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    if (spec.exclude_outside && (base + t < 0 || base + t > double(in - 1))) w = 0;
    sum += w;
    taps.emplace_back(clamp(base + t), w);
  }
  for (auto& tap : taps) tap.second /= sum;
  return taps;
}

inline void AddResizeCase(KernelCases* cases, const ResizeSpec& spec) {
  cases->push_back(
      {"resize",
       StrCat("mode ", static_cast<int>(spec.mode), " coordinates ",
              static_cast<int>(spec.coordinates), " rounding ", static_cast<int>(spec.rounding),
              " ", spec.in_h, "×", spec.in_w, " to ", spec.out_h, "×", spec.out_w,
              spec.channels_last ? " NHWC " : " NCHW ", NameOf(spec.type)),
       [=](Toolbox& toolbox) { return MakeResize(toolbox, spec); },
       [=] {
         CaseData data;
         data.inputs = {Random(spec.type, spec.n * spec.channels * spec.in_h * spec.in_w)};
         data.outputs = {Expected(spec.type, spec.n * spec.channels * spec.out_h * spec.out_w)};
         const auto at = [&](int64_t b, int64_t c, int64_t i, int64_t j, int64_t h, int64_t w) {
           return static_cast<size_t>(spec.channels_last
                                          ? ((b * h + i) * w + j) * spec.channels + c
                                          : ((b * spec.channels + c) * h + i) * w + j);
         };
         ForEachElement(
             {spec.n, spec.channels, spec.out_h, spec.out_w},
             [&](size_t, const std::vector<int64_t>& o) {
               double sum = 0;
               for (const auto& [i, wi] : ResizeTaps(spec, o[2], spec.in_h, spec.out_h)) {
                 for (const auto& [j, wj] : ResizeTaps(spec, o[3], spec.in_w, spec.out_w)) {
                   sum +=
                       wi * wj * data.inputs[0].values[at(o[0], o[1], i, j, spec.in_h, spec.in_w)];
                 }
               }
               data.outputs[0].values[at(o[0], o[1], o[2], o[3], spec.out_h, spec.out_w)] = sum;
             });
         return data;
       }});
}

inline void AddResizeCases(KernelCases* cases) {
  for (const DataType type : kFloatTypes) {
    for (const bool last : {false, true}) {
      // Extents whose ratios are powers of two, so that fp32 and double round alike.
      for (int rounding = 0; rounding < 4; ++rounding) {
        AddResizeCase(cases,
                      {type, last, 2, 5, 8, 6, 16, 3, 0, 0, ResizeMode::kNearest,
                       ResizeCoordinates::kAsymmetric, static_cast<ResizeRounding>(rounding)});
        AddResizeCase(cases,
                      {type, last, 2, 5, 8, 6, 16, 3, 0, 0, ResizeMode::kNearest,
                       ResizeCoordinates::kHalfPixel, static_cast<ResizeRounding>(rounding)});
      }
      for (int coordinates = 0; coordinates < 5; ++coordinates) {
        for (const ResizeMode mode : {ResizeMode::kLinear, ResizeMode::kCubic}) {
          AddResizeCase(cases, {type, last, 2, 5, 8, 6, 13, 4, 0, 0, mode,
                                static_cast<ResizeCoordinates>(coordinates)});
        }
      }
      // Extents that scales do not divide.
      for (const ResizeMode mode : {ResizeMode::kLinear, ResizeMode::kCubic}) {
        AddResizeCase(cases, {type, last, 1, 2, 4, 9, 3, 6, 0.8f, 0.7f, mode,
                              ResizeCoordinates::kAlignCorners});
      }
      ResizeSpec outside = {type, last, 1, 3, 8, 6, 12, 9, 0, 0, ResizeMode::kCubic};
      outside.exclude_outside = true;
      AddResizeCase(cases, outside);
    }
  }
}

inline void AddCumSumCases(KernelCases* cases) {
  for (const DataType type : {DataType::kFp32, DataType::kInt64, DataType::kFp64}) {
    for (int flags = 0; flags < 4; ++flags) {
      for (const auto& [outer, n, inner] : {std::array<int64_t, 3>{9, 100, 1}, {2, 13, 7}}) {
        const CumSumSpec spec = {type, outer, n, inner, (flags & 1) != 0, (flags & 2) != 0};
        cases->push_back(
            {"cumsum", StrCat(outer, "×", n, "×", inner, " flags ", flags, " ", NameOf(type)),
             [=](Toolbox& toolbox) { return MakeCumSum(toolbox, spec); },
             [=] {
               CaseData data;
               data.inputs = {Random(type, spec.outer * spec.n * spec.inner, -9, 9)};
               data.outputs = {Expected(type, spec.outer * spec.n * spec.inner)};
               for (int64_t o = 0; o < spec.outer; ++o)
                 for (int64_t i = 0; i < spec.inner; ++i) {
                   double sum = 0;
                   for (int64_t j = 0; j < spec.n; ++j) {
                     const int64_t row = spec.reverse ? spec.n - 1 - j : j;
                     const auto at = static_cast<size_t>((o * spec.n + row) * spec.inner + i);
                     if (!spec.exclusive) sum += data.inputs[0].values[at];
                     data.outputs[0].values[at] = sum;
                     if (spec.exclusive) sum += data.inputs[0].values[at];
                   }
                 }
               return data;
             }});
      }
    }
  }
}

inline void AddTopKCases(KernelCases* cases) {
  for (const DataType type : {DataType::kFp32, DataType::kFp16, DataType::kInt64}) {
    for (const bool largest : {true, false}) {
      for (const auto& [outer, n, inner, k] : {std::array<int64_t, 4>{3, 1000, 1, 10},
                                               {2, 17, 5, 17},
                                               {1, 8400, 1, 300},
                                               {4, 1, 1, 1}}) {
        // 64-bit elements of so long a line do not fit the shared memory of an sm_80.
        if (n > 8192 && type == DataType::kInt64) continue;
        const TopKSpec spec = {type, outer, n, inner, k, largest};
        cases->push_back(
            {"topk",
             StrCat(k, largest ? " greatest of " : " least of ", outer, "×", n, "×", inner, " ",
                    NameOf(type)),
             [=](Toolbox& toolbox) { return MakeTopK(toolbox, spec); },
             [=] {
               CaseData data;
               data.inputs = {Random(type, spec.outer * spec.n * spec.inner, -50, 50)};
               data.outputs = {Expected(type, spec.outer * spec.k * spec.inner),
                               Expected(DataType::kInt64, spec.outer * spec.k * spec.inner)};
               for (int64_t o = 0; o < spec.outer; ++o)
                 for (int64_t i = 0; i < spec.inner; ++i) {
                   const auto at = [&](int64_t j) {
                     return data.inputs[0]
                         .values[static_cast<size_t>((o * spec.n + j) * spec.inner + i)];
                   };
                   std::vector<int64_t> order(static_cast<size_t>(spec.n));
                   std::iota(order.begin(), order.end(), 0);
                   std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
                     return spec.largest ? at(a) > at(b) : at(a) < at(b);
                   });
                   for (int64_t j = 0; j < spec.k; ++j) {
                     const auto to = static_cast<size_t>((o * spec.k + j) * spec.inner + i);
                     data.outputs[0].values[to] = at(order[static_cast<size_t>(j)]);
                     data.outputs[1].values[to] = double(order[static_cast<size_t>(j)]);
                   }
                 }
               return data;
             }});
      }
    }
  }
}

inline void AddGeneratorCases(KernelCases* cases) {
  for (const DataType type : {DataType::kFp32, DataType::kFp16, DataType::kInt64}) {
    cases->push_back({"generate", StrCat("OneHot ", NameOf(type)),
                      [=](Toolbox& toolbox) {
                        return MakeOneHot(toolbox, {DataType::kInt64, type, 3, 6, 4});
                      },
                      [=] {
                        CaseData data;
                        data.inputs = {RandomIndices(DataType::kInt64, 12, 6), {type, {2, 5}}};
                        data.outputs = {Expected(type, 72)};
                        ForEachElement({3, 6, 4}, [&](size_t i, const std::vector<int64_t>& at) {
                          const size_t hot = Wrapped(
                              data.inputs[0].values[static_cast<size_t>(at[0] * 4 + at[2])], 6);
                          data.outputs[0].values[i] = hot == static_cast<size_t>(at[1]) ? 5 : 2;
                        });
                        return data;
                      }});
    for (const bool upper : {false, true}) {
      for (const int64_t k : {-2, 0, 3}) {
        cases->push_back(
            {"generate", StrCat("Trilu ", upper ? "upper " : "lower ", k, " ", NameOf(type)),
             [=](Toolbox& toolbox) {
               return MakeTrilu(toolbox, {type, upper, 2, 5, 7, k});
             },
             [=] {
               CaseData data;
               data.inputs = {Random(type, 70, -9, 9)};
               data.outputs = {Expected(type, 70)};
               ForEachElement({2, 5, 7}, [&](size_t i, const std::vector<int64_t>& at) {
                 const int64_t diagonal = at[2] - at[1];
                 data.outputs[0].values[i] =
                     (upper ? diagonal >= k : diagonal <= k) ? data.inputs[0].values[i] : 0;
               });
               return data;
             }});
      }
    }
    cases->push_back({"generate", StrCat("Range ", NameOf(type)),
                      [=](Toolbox& toolbox) {
                        return MakeRange(toolbox, {type, 300});
                      },
                      [=] {
                        CaseData data;
                        data.inputs = {{type, {5}}, {type, {-2}}};
                        data.outputs = {Expected(type, 300)};
                        for (size_t i = 0; i < 300; ++i)
                          data.outputs[0].values[i] = 5 - 2 * double(i);
                        return data;
                      }});
    cases->push_back({"generate", StrCat("fill ", NameOf(type)),
                      [=](Toolbox& toolbox) { return MakeFill(toolbox, type, 1001, 3); },
                      [=] {
                        CaseData data;
                        data.outputs = {{type, std::vector<double>(1001, 3.0)}};
                        return data;
                      }});
  }
}

inline void AddOrderCases(KernelCases* cases) {
  AddResizeCases(cases);
  AddCumSumCases(cases);
  AddTopKCases(cases);
  AddGeneratorCases(cases);
}

}  // namespace nereid::engine
