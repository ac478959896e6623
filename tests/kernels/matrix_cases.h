#pragma once

#include "kernels/convolution/convolution.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/pool/pool.h"
#include "kernels/product/product.h"
#include "kernels/tile_product/tile_product.h"
#include "tests/kernels/kernel_case.h"

namespace nereid::engine {

// Large products are compared on some of their rows only: the rest is NaN in what is expected,
// which the comparison leaves out.
inline constexpr int64_t kMaxComparedFlops = 40'000'000;

inline KernelCase GemmCase(const GemmSpec& spec) {
  KernelCase c;
  c.op = "gemm";
  c.name = StrCat(spec.batch, "×", spec.m, "×", spec.n, "×", spec.k, spec.transpose_a ? " Aᵀ" : "",
                  spec.transpose_b ? " Bᵀ" : "", spec.has_bias ? " + bias" : "",
                  spec.has_residual ? " + residual" : "",
                  spec.activation == GemmActivation::kRelu       ? " relu"
                  : spec.activation == GemmActivation::kGeluTanh ? " gelu"
                                                                 : "",
                  spec.tf32 ? " TF32" : StrCat(" ", NameOf(spec.type)));
  c.make = [=](Toolbox& toolbox) { return MakeGemm(toolbox, spec); };
  // The library's GELU takes the GPU's own, less exact tanh.
  const bool rough =
      spec.tf32 || (spec.activation == GemmActivation::kGeluTanh && spec.type == DataType::kFp32);
  c.tolerance = rough ? 1e-3 : 0;
  c.flops = 2.0 * double(spec.batch * spec.m * spec.n * spec.k);
  c.needs_library = true;
  c.data = [=] {
    CaseData data;
    data.inputs = {Random(spec.type, spec.batch * spec.m * spec.k),
                   Random(spec.type, spec.batch * spec.k * spec.n, -1, 1, 2),
                   spec.has_bias ? Random(spec.type, spec.n, -1, 1, 3) : CaseTensor{},
                   spec.has_residual ? Random(spec.type, spec.batch * spec.m * spec.n, -1, 1, 4)
                                     : CaseTensor{}};
    data.outputs = {Expected(spec.type, spec.batch * spec.m * spec.n)};
    const int64_t rows = spec.batch * spec.m;
    const int64_t every = std::max<int64_t>(rows * spec.n * spec.k / kMaxComparedFlops, 1);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t b = row / spec.m, i = row % spec.m;
      for (int64_t j = 0; j < spec.n; ++j) {
        double sum = 0;
        for (int64_t l = 0; l < spec.k && row % every == 0; ++l) {
          const int64_t at_a = spec.transpose_a ? l * spec.m + i : i * spec.k + l;
          const int64_t at_b = spec.transpose_b ? j * spec.k + l : l * spec.n + j;
          sum += data.inputs[0].values[static_cast<size_t>(b * spec.m * spec.k + at_a)] *
                 data.inputs[1].values[static_cast<size_t>(b * spec.k * spec.n + at_b)];
        }
        sum *= double(spec.alpha);
        if (spec.has_residual) sum += data.inputs[3].values[static_cast<size_t>(row * spec.n + j)];
        if (spec.has_bias) sum += data.inputs[2].values[static_cast<size_t>(j)];
        if (spec.activation == GemmActivation::kRelu) sum = std::fmax(sum, 0);
        if (spec.activation == GemmActivation::kGeluTanh) {
          sum =
              0.5 * sum * (1 + std::tanh(0.7978845608028654 * (sum + 0.044715 * sum * sum * sum)));
        }
        data.outputs[0].values[static_cast<size_t>(row * spec.n + j)] =
            row % every == 0 ? sum : NAN;
      }
    }
    return data;
  };
  return c;
}

inline void AddGemmCase(KernelCases* cases, const GemmSpec& spec) {
  cases->push_back(GemmCase(spec));
}

// Our own kernel in every cut, also those that would not be raced for these extents.
inline constexpr ProductTile kAllTiles[] = {
    {64, 32, 1},  {64, 64, 1},  {64, 64, 8},   {64, 128, 4},  {64, 256, 2},
    {128, 32, 4}, {128, 64, 2}, {128, 128, 1}, {128, 128, 8}, {128, 256, 1}};

template <typename Spec>
void AddTileCases(KernelCases* cases, const KernelCase& base, const Spec& spec, bool b_rows) {
  for (const ProductTile& tile : kAllTiles) {
    if (tile.columns < 64 && !b_rows) continue;
    KernelCase c = base;
    c.op = "tile product";
    c.needs_library = false;
    c.needs_hopper = true;
    c.name = StrCat(base.op, " ", c.name, " in ", tile.name());
    c.make = [=](Toolbox& toolbox) { return MakeTileProduct(toolbox, spec, tile); };
    cases->push_back(std::move(c));
  }
}

inline void AddTileProductCases(KernelCases* cases) {
  for (const auto& [m, n, k] : {std::array<int64_t, 3>{128, 768, 3072},
                                {200, 72, 136},
                                {1, 1000, 2048},
                                {1024, 2304, 768}}) {
    for (int flags = 0; flags < 4; ++flags) {
      GemmSpec spec;
      spec.type = flags == 1 ? DataType::kBf16 : DataType::kFp16;
      spec.m = m;
      spec.n = n;
      spec.k = k;
      spec.transpose_b = (flags & 1) != 0;
      spec.b_is_constant = flags < 2;
      spec.has_bias = (flags & 2) != 0;
      spec.has_residual = spec.has_bias && !spec.transpose_b;
      spec.alpha = spec.has_residual ? 0.5f : 1;
      spec.activation = spec.has_residual ? GemmActivation::kRelu
                        : spec.has_bias   ? GemmActivation::kGeluTanh
                                          : GemmActivation::kNone;
      AddTileCases(cases, GemmCase(spec), spec, spec.transpose_b);
    }
  }
}

inline void AddGemmCases(KernelCases* cases) {
  for (const auto& [type, tf32] : {std::pair{DataType::kFp32, false},
                                   {DataType::kFp32, true},
                                   {DataType::kFp16, false},
                                   {DataType::kBf16, false}}) {
    GemmSpec spec;
    spec.type = type;
    spec.tf32 = tf32;
    for (const auto& [batch, m, n, k] : {std::array<int64_t, 4>{1, 64, 96, 128},
                                         {3, 40, 24, 72},
                                         {1, 1, 1000, 2048},
                                         {2, 17, 8, 40}}) {
      spec.batch = batch;
      spec.m = m;
      spec.n = n;
      spec.k = k;
      for (int flags = 0; flags < 4; ++flags) {
        spec.transpose_a = (flags & 1) != 0;
        spec.transpose_b = (flags & 2) != 0;
        AddGemmCase(cases, spec);
      }
      spec.transpose_a = spec.transpose_b = false;
      GemmSpec fused = spec;
      fused.has_bias = true;
      fused.activation = GemmActivation::kRelu;
      AddGemmCase(cases, fused);
      fused.has_residual = true;
      AddGemmCase(cases, fused);
      fused.has_residual = false;
      fused.activation = GemmActivation::kGeluTanh;
      AddGemmCase(cases, fused);
    }
    spec.batch = 1;
    spec.m = 16384;
    spec.n = 3072;
    spec.k = 768;
    spec.has_bias = true;
    AddGemmCase(cases, spec);
  }
  for (const auto& [a, b] : {std::pair<Shape, Shape>{{2, 3, 4, 5}, {5, 6}},
                             {{4, 5}, {7, 5, 8}},
                             {{2, 1, 4, 8}, {1, 3, 8, 5}},
                             {{8}, {8, 3}}}) {
    KernelCase c;
    c.op = "gemm";
    c.name = StrCat("MatMul ", ShapeToString(a), " by ", ShapeToString(b));
    c.needs_library = true;
    c.make = [a = a, b = b](Toolbox& toolbox) { return MakeMatMul(toolbox, {}, a, b); };
    c.data = [a = a, b = b] {
      Shape wide_a = a, wide_b = b;
      if (wide_a.size() == 1) wide_a.insert(wide_a.begin(), 1);
      while (wide_a.size() < 4) wide_a.insert(wide_a.begin(), 1);
      while (wide_b.size() < 4) wide_b.insert(wide_b.begin(), 1);
      CaseData data;
      const auto count = [](const Shape& s) { return s[0] * s[1] * s[2] * s[3]; };
      data.inputs = {Random(DataType::kFp32, count(wide_a)),
                     Random(DataType::kFp32, count(wide_b), -1, 1, 2)};
      const int64_t d0 = std::max(wide_a[0], wide_b[0]), d1 = std::max(wide_a[1], wide_b[1]),
                    m = wide_a[2], k = wide_a[3], n = wide_b[3];
      data.outputs = {Expected(DataType::kFp32, d0 * d1 * m * n)};
      for (int64_t i = 0; i < d0 * d1 * m * n; ++i) {
        const int64_t col = i % n, row = i / n % m, q = i / n / m % d1, p = i / n / m / d1;
        const int64_t at_a =
            (std::min(p, wide_a[0] - 1) * wide_a[1] + std::min(q, wide_a[1] - 1)) * m * k;
        const int64_t at_b =
            (std::min(p, wide_b[0] - 1) * wide_b[1] + std::min(q, wide_b[1] - 1)) * k * n;
        double sum = 0;
        for (int64_t l = 0; l < k; ++l) {
          sum += data.inputs[0].values[static_cast<size_t>(at_a + row * k + l)] *
                 data.inputs[1].values[static_cast<size_t>(at_b + l * n + col)];
        }
        data.outputs[0].values[static_cast<size_t>(i)] = sum;
      }
      return data;
    };
    cases->push_back(std::move(c));
  }
}

// A direct convolution in double, for all layouts. `filter_at(k, c, r, s)` indexes the filters.
struct ConvolutionGeometry {
  int64_t n, c, h, w, k, r, s, out_h, out_w, groups;
  std::array<int64_t, 2> stride, dilation, pad;
  bool last;
  size_t In(int64_t b, int64_t channel, int64_t i, int64_t j) const {
    return static_cast<size_t>(last ? ((b * h + i) * w + j) * c + channel
                                    : ((b * c + channel) * h + i) * w + j);
  }
  size_t Out(int64_t b, int64_t channel, int64_t i, int64_t j) const {
    return static_cast<size_t>(last ? ((b * out_h + i) * out_w + j) * k + channel
                                    : ((b * k + channel) * out_h + i) * out_w + j);
  }
};

template <typename FilterAt>
std::vector<double> Convolve(const ConvolutionGeometry& g, const std::vector<double>& x,
                             const std::vector<double>& filter, const FilterAt& filter_at,
                             bool transposed) {
  std::vector<double> y(static_cast<size_t>(g.n * g.k * g.out_h * g.out_w), 0.0);
  const int64_t per_group_in = g.c / g.groups, per_group_out = g.k / g.groups;
  for (int64_t b = 0; b < g.n; ++b)
    for (int64_t k = 0; k < g.k; ++k)
      for (int64_t ci = 0; ci < per_group_in; ++ci)
        for (int64_t r = 0; r < g.r; ++r)
          for (int64_t s = 0; s < g.s; ++s) {
            const int64_t channel = k / per_group_out * per_group_in + ci;
            const double f = filter[filter_at(k, channel, r, s)];
            const int64_t rows = transposed ? g.h : g.out_h, columns = transposed ? g.w : g.out_w;
            for (int64_t i = 0; i < rows; ++i)
              for (int64_t j = 0; j < columns; ++j) {
                const int64_t other_i = i * g.stride[0] - g.pad[0] + r * g.dilation[0];
                const int64_t other_j = j * g.stride[1] - g.pad[1] + s * g.dilation[1];
                if (transposed) {
                  if (other_i < 0 || other_i >= g.out_h || other_j < 0 || other_j >= g.out_w)
                    continue;
                  y[g.Out(b, k, other_i, other_j)] += f * x[g.In(b, channel, i, j)];
                } else {
                  if (other_i < 0 || other_i >= g.h || other_j < 0 || other_j >= g.w) continue;
                  y[g.Out(b, k, i, j)] += f * x[g.In(b, channel, other_i, other_j)];
                }
              }
          }
  return y;
}

inline KernelCase ConvolutionCase(const ConvolutionSpec& spec) {
  KernelCase c;
  c.op = "convolution";
  const bool last = spec.layout == ImageLayout::kNhwc;
  c.name = StrCat(spec.transposed ? "transposed " : "", spec.n, "×", spec.c, "×", spec.h, "×",
                  spec.w, " to ", spec.k, ", ", spec.r, "×", spec.s, " /", spec.stride[0],
                  spec.groups > 1 ? StrCat(" groups ", spec.groups) : "",
                  spec.has_residual ? " + residual" : "", spec.has_bias ? " + bias" : "",
                  spec.relu ? " relu" : "", last ? " NHWC" : " NCHW",
                  spec.tf32 ? " TF32" : StrCat(" ", NameOf(spec.type)));
  c.make = [=](Toolbox& toolbox) { return MakeFastestConvolution(toolbox, spec); };
  const int64_t out_h = spec.out_h(), out_w = spec.out_w();
  c.flops = 2.0 * double(spec.n * spec.k * (spec.c / spec.groups) * spec.r * spec.s) *
            double(spec.transposed ? spec.h * spec.w : out_h * out_w);
  c.tolerance = spec.tf32 ? 1e-3 : 0;
  c.needs_library = true;
  c.data = [=] {
    CaseData data;
    const int64_t outputs = spec.n * spec.k * out_h * out_w;
    data.inputs = {Random(spec.type, spec.n * spec.c * spec.h * spec.w),
                   Random(spec.type, spec.k * spec.c / spec.groups * spec.r * spec.s, -1, 1, 2),
                   spec.has_bias ? Random(spec.type, spec.k, -1, 1, 3) : CaseTensor{},
                   spec.has_residual ? Random(spec.type, outputs, -1, 1, 4) : CaseTensor{}};
    data.outputs = {Expected(spec.type, outputs)};
    const ConvolutionGeometry g = {spec.n,      spec.c,        spec.h,         spec.w, spec.k,
                                   spec.r,      spec.s,        out_h,          out_w,  spec.groups,
                                   spec.stride, spec.dilation, spec.pad_begin, last};
    const int64_t in_group = spec.c / spec.groups, out_group = spec.k / spec.groups;
    const auto filter_at = [&](int64_t k, int64_t channel, int64_t r, int64_t s) {
      // Outer and inner index of the filter: the output's channels are outer, transposed the
      // input's.
      const int64_t outer = spec.transposed ? channel : k;
      const int64_t inner = spec.transposed ? k % out_group : channel % in_group;
      const int64_t inners = spec.transposed ? out_group : in_group;
      return static_cast<size_t>(last ? ((outer * spec.r + r) * spec.s + s) * inners + inner
                                      : ((outer * inners + inner) * spec.r + r) * spec.s + s);
    };
    auto& y = data.outputs[0].values;
    y = Convolve(g, data.inputs[0].values, data.inputs[1].values, filter_at, spec.transposed);
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t channel =
          last ? i % static_cast<size_t>(spec.k)
               : i / static_cast<size_t>(out_h * out_w) % static_cast<size_t>(spec.k);
      if (spec.has_residual) y[i] += data.inputs[3].values[i];
      if (spec.has_bias) y[i] += data.inputs[2].values[channel];
      if (spec.relu) y[i] = std::fmax(y[i], 0);
    }
    return data;
  };
  return c;
}

inline void AddConvolutionCase(KernelCases* cases, const ConvolutionSpec& spec) {
  cases->push_back(ConvolutionCase(spec));
}

inline void AddTileConvolutionCases(KernelCases* cases) {
  struct Row {
    int64_t n, c, h, w, k, r, s, stride, pad, dilation;
  };
  for (const Row& row :
       {Row{1, 512, 7, 7, 512, 3, 3, 1, 1, 1}, Row{3, 64, 14, 13, 72, 3, 3, 1, 1, 1},
        Row{2, 128, 15, 15, 64, 3, 3, 2, 1, 1}, Row{5, 128, 9, 6, 96, 1, 1, 2, 0, 1},
        Row{2, 64, 12, 20, 128, 3, 5, 1, 2, 2}, Row{4, 192, 8, 8, 64, 1, 1, 1, 0, 1}}) {
    for (const bool fused : {false, true}) {
      ConvolutionSpec spec;
      spec.type = fused ? DataType::kFp16 : DataType::kBf16;
      spec.n = row.n;
      spec.c = row.c;
      spec.h = row.h;
      spec.w = row.w;
      spec.k = row.k;
      spec.r = row.r;
      spec.s = row.s;
      spec.stride = {row.stride, row.stride};
      spec.dilation = {row.dilation, row.dilation};
      spec.pad_begin = {row.pad, row.pad};
      spec.pad_end = {row.pad, fused ? row.pad : row.pad + 1};
      spec.has_bias = spec.has_residual = spec.relu = spec.constant_filter = fused;
      AddTileCases(cases, ConvolutionCase(spec), spec, true);
    }
  }
}

// With bias and ReLU, of as many pixels as it reads.
inline void AddSquareLayer(KernelCases* cases, int64_t n, int64_t c, int64_t k, int64_t extent,
                           int64_t filter) {
  ConvolutionSpec spec;
  spec.n = n;
  spec.c = c;
  spec.h = spec.w = extent;
  spec.k = k;
  spec.r = spec.s = filter;
  spec.pad_begin = spec.pad_end = {filter / 2, filter / 2};
  spec.has_bias = spec.relu = true;
  AddConvolutionCase(cases, spec);
}

inline void AddConvolutionCases(KernelCases* cases) {
  for (const auto& [type, tf32] : {std::pair{DataType::kFp16, false},
                                   {DataType::kBf16, false},
                                   {DataType::kFp32, true},
                                   {DataType::kFp32, false}}) {
    for (const ImageLayout layout : {ImageLayout::kNhwc, ImageLayout::kNchw}) {
      if (layout == ImageLayout::kNchw && type == DataType::kBf16) continue;
      ConvolutionSpec spec;
      spec.type = type;
      spec.tf32 = tf32;
      spec.layout = layout;
      spec.n = 2;
      spec.c = 16;
      spec.h = 14;
      spec.w = 12;
      spec.k = 24;
      spec.r = spec.s = 3;
      spec.pad_begin = spec.pad_end = {1, 1};
      AddConvolutionCase(cases, spec);
      spec.has_bias = true;
      AddConvolutionCase(cases, spec);
      spec.relu = true;
      AddConvolutionCase(cases, spec);
      spec.stride = {2, 2};
      AddConvolutionCase(cases, spec);
      spec.has_residual = true;
      AddConvolutionCase(cases, spec);
      spec.has_bias = false;
      AddConvolutionCase(cases, spec);
      spec.has_residual = false;
      AddConvolutionCase(cases, spec);
      spec.has_bias = true;
      spec.stride = {1, 1};
      spec.groups = 4;
      spec.k = 32;
      spec.c = 32;
      AddConvolutionCase(cases, spec);
      ConvolutionSpec transposed;
      transposed.type = type;
      transposed.tf32 = tf32;
      transposed.layout = layout;
      transposed.transposed = true;
      transposed.n = 2;
      transposed.c = 16;
      transposed.h = transposed.w = 9;
      transposed.k = 8;
      transposed.r = transposed.s = 2;
      transposed.stride = {2, 2};
      AddConvolutionCase(cases, transposed);
    }
  }
  // Layers of a ResNet-50 at batch 1.
  for (const auto& [c, hw, k, filter] :
       {std::array<int64_t, 4>{64, 56, 64, 3}, {512, 7, 512, 3}, {1024, 14, 256, 1}}) {
    AddSquareLayer(cases, 1, c, k, hw, filter);
  }
  // Channels whose pixels do not begin at words: c, k, extents, filter.
  for (const auto& [c, k, hw, filter] : {std::array<int64_t, 4>{10, 24, 9, 3},
                                         {3, 24, 9, 3},
                                         {5, 24, 9, 3},
                                         {129, 128, 4, 3},
                                         {12, 18, 9, 3},
                                         {128, 129, 4, 3},
                                         {8, 17, 9, 1},
                                         {2, 3, 5, 3}}) {
    AddSquareLayer(cases, 2, c, k, hw, filter);
  }
  // Its widest 1×1 layer, which may be a matrix product, with and without everything.
  for (const DataType type : {DataType::kFp16, DataType::kBf16, DataType::kFp32}) {
    ConvolutionSpec spec;
    spec.type = type;
    spec.n = 3;
    spec.c = 64;
    spec.h = spec.w = 28;
    spec.k = 256;
    AddConvolutionCase(cases, spec);
    spec.has_bias = spec.relu = spec.has_residual = true;
    AddConvolutionCase(cases, spec);
  }
}

inline double DepthwiseReference(DepthwiseActivation activation, double a, double b, double x) {
  switch (activation) {
    case DepthwiseActivation::kRelu:
      return std::fmax(x, 0);
    case DepthwiseActivation::kClip:
      return std::fmin(std::fmax(x, a), b);
    case DepthwiseActivation::kSwish:
      return x / (1 + std::exp(-x));
    case DepthwiseActivation::kHardSwish:
      return x * std::fmin(std::fmax(x / 6 + 0.5, 0), 1);
    case DepthwiseActivation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case DepthwiseActivation::kHardSigmoid:
      return std::fmin(std::fmax(a * x + b, 0), 1);
    case DepthwiseActivation::kLeakyRelu:
      return x >= 0 ? x : a * x;
    default:
      return x;
  }
}

inline void AddDepthwiseCase(KernelCases* cases, const DepthwiseSpec& spec) {
  KernelCase c;
  c.op = "depthwise";
  c.name = StrCat(spec.n, "×", spec.channels, "×", spec.h, "×", spec.w, ", ", spec.r, "×", spec.s,
                  " /", spec.stride[1], " activation ", static_cast<int>(spec.activation),
                  spec.input_activation == DepthwiseActivation::kNone
                      ? ""
                      : StrCat(" of ", static_cast<int>(spec.input_activation)),
                  spec.channels_last ? " NHWC " : " NCHW ", NameOf(spec.type));
  c.make = [=](Toolbox& toolbox) { return MakeDepthwise(toolbox, spec); };
  c.data = [=] {
    CaseData data;
    const int64_t out_h = spec.out_h(), out_w = spec.out_w();
    data.inputs = {Random(spec.type, spec.n * spec.channels * spec.h * spec.w),
                   Random(spec.type, spec.channels * spec.r * spec.s, -1, 1, 2),
                   spec.has_bias ? Random(spec.type, spec.channels, -1, 1, 3) : CaseTensor{}};
    data.outputs = {Expected(spec.type, spec.n * spec.channels * out_h * out_w)};
    const ConvolutionGeometry g = {spec.n,         spec.channels,
                                   spec.h,         spec.w,
                                   spec.channels,  spec.r,
                                   spec.s,         out_h,
                                   out_w,          spec.channels,
                                   spec.stride,    spec.dilation,
                                   spec.pad_begin, spec.channels_last};
    auto& y = data.outputs[0].values;
    std::vector<double> x = data.inputs[0].values;
    for (double& v : x) {
      v = double(spec.input_scale) * DepthwiseReference(spec.input_activation,
                                                        double(spec.input_alpha),
                                                        double(spec.input_beta), v) +
          double(spec.input_shift);
    }
    y = Convolve(
        g, x, data.inputs[1].values,
        [&](int64_t k, int64_t, int64_t r, int64_t s) {
          return static_cast<size_t>(spec.channels_last ? (r * spec.s + s) * spec.channels + k
                                                        : (k * spec.r + r) * spec.s + s);
        },
        false);
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t channel = spec.channels_last ? i % static_cast<size_t>(spec.channels)
                                                : i / static_cast<size_t>(out_h * out_w) %
                                                      static_cast<size_t>(spec.channels);
      if (spec.has_bias) y[i] += data.inputs[2].values[channel];
      y[i] = DepthwiseReference(spec.activation, double(spec.alpha), double(spec.beta), y[i]);
    }
    return data;
  };
  cases->push_back(std::move(c));
}

inline void AddDepthwiseCases(KernelCases* cases) {
  for (const DataType type : kFloatTypes) {
    for (const bool last : {true, false}) {
      for (const auto& [filter, stride, dilation] : {std::array<int64_t, 3>{3, 1, 1},
                                                     {3, 2, 1},
                                                     {5, 1, 1},
                                                     {5, 2, 1},
                                                     {3, 1, 2},
                                                     {7, 1, 1}}) {
        DepthwiseSpec spec;
        spec.type = type;
        spec.channels_last = last;
        spec.n = 2;
        spec.channels = 24;
        spec.h = 15;
        spec.w = 13;
        spec.r = spec.s = filter;
        spec.stride = {stride, stride};
        spec.dilation = {dilation, dilation};
        spec.pad_begin = spec.pad_end = {filter / 2 * dilation, filter / 2 * dilation};
        spec.has_bias = true;
        AddDepthwiseCase(cases, spec);
      }
    }
  }
  for (int activation = 1; activation < 8; ++activation) {
    DepthwiseSpec spec;
    spec.n = 1;
    spec.channels = 16;
    spec.h = spec.w = 10;
    spec.r = spec.s = 3;
    spec.activation = static_cast<DepthwiseActivation>(activation);
    spec.alpha = 0.2f;
    spec.beta = 0.5f;
    AddDepthwiseCase(cases, spec);
    std::swap(spec.activation, spec.input_activation);
    spec.input_alpha = 0.2f;
    spec.input_beta = 0.5f;
    spec.pad_begin = spec.pad_end = {1, 1};
    AddDepthwiseCase(cases, spec);
    spec.input_scale = 1.5f;
    spec.input_shift = -0.25f;
    AddDepthwiseCase(cases, spec);
  }
  DepthwiseSpec large;
  large.n = 128;
  large.channels = 144;
  large.h = large.w = 56;
  large.r = large.s = 3;
  large.pad_begin = large.pad_end = {1, 1};
  large.has_bias = true;
  large.activation = DepthwiseActivation::kClip;
  large.alpha = 0;
  large.beta = 6;
  AddDepthwiseCase(cases, large);
  large.input_activation = DepthwiseActivation::kClip;
  large.input_beta = 6;
  AddDepthwiseCase(cases, large);
}

inline void AddPoolCase(KernelCases* cases, const PoolSpec& spec) {
  KernelCase c;
  c.op = "pool";
  c.name = StrCat(spec.max ? "max " : "average ", spec.n, "×", spec.channels, "×", spec.h, "×",
                  spec.w, spec.count_include_pad ? " with padding" : "",
                  spec.channels_last ? " NHWC " : " NCHW ", NameOf(spec.type));
  c.make = [=](Toolbox& toolbox) { return MakePool(toolbox, spec); };
  c.data = [=] {
    CaseData data;
    data.inputs = {Random(spec.type, spec.n * spec.channels * spec.h * spec.w, -9, 9)};
    data.outputs = {Expected(spec.type, spec.n * spec.channels * spec.out_h * spec.out_w)};
    const ConvolutionGeometry g = {spec.n,
                                   spec.channels,
                                   spec.h,
                                   spec.w,
                                   spec.channels,
                                   1,
                                   1,
                                   spec.out_h,
                                   spec.out_w,
                                   1,
                                   spec.stride,
                                   spec.dilation,
                                   spec.pad_begin,
                                   spec.channels_last};
    for (int64_t b = 0; b < spec.n; ++b)
      for (int64_t k = 0; k < spec.channels; ++k)
        for (int64_t i = 0; i < spec.out_h; ++i)
          for (int64_t j = 0; j < spec.out_w; ++j) {
            double best = -INFINITY, sum = 0, count = 0;
            for (int64_t r = 0; r < spec.window[0]; ++r)
              for (int64_t s = 0; s < spec.window[1]; ++s) {
                const int64_t y = i * spec.stride[0] - spec.pad_begin[0] + r * spec.dilation[0];
                const int64_t x = j * spec.stride[1] - spec.pad_begin[1] + s * spec.dilation[1];
                const bool inside = y >= 0 && y < spec.h && x >= 0 && x < spec.w;
                if (inside || (spec.count_include_pad && y < spec.h + spec.pad_end[0] &&
                               x < spec.w + spec.pad_end[1]))
                  ++count;
                if (!inside) continue;
                best = std::fmax(best, data.inputs[0].values[g.In(b, k, y, x)]);
                sum += data.inputs[0].values[g.In(b, k, y, x)];
              }
            data.outputs[0].values[g.Out(b, k, i, j)] = spec.max ? best : sum / count;
          }
    return data;
  };
  cases->push_back(std::move(c));
}

inline void AddPoolCases(KernelCases* cases) {
  for (const DataType type : kFloatTypes) {
    for (const bool last : {false, true}) {
      for (const bool max : {false, true}) {
        for (const bool include : {false, true}) {
          if (max && include) continue;
          AddPoolCase(cases, {type,
                              max,
                              last,
                              2,
                              24,
                              15,
                              13,
                              8,
                              7,
                              {3, 3},
                              {2, 2},
                              {1, 1},
                              {1, 1},
                              {1, 1},
                              include});
          // The last column begins inside and ends beyond the padding, as ceil_mode makes it.
          AddPoolCase(
              cases,
              {type, max, last, 1, 5, 8, 8, 4, 4, {3, 3}, {2, 2}, {1, 1}, {0, 0}, {0, 0}, include});
        }
      }
    }
  }
  AddPoolCase(cases, {DataType::kFp16,
                      true,
                      true,
                      128,
                      64,
                      112,
                      112,
                      56,
                      56,
                      {3, 3},
                      {2, 2},
                      {1, 1},
                      {1, 1},
                      {1, 1},
                      false});
}

}  // namespace nereid::engine
