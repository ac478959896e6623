#include "kernels/depthwise/depthwise.h"

#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/alternatives.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// A thread makes PY rows of PX neighbouring pixels, of W channels (one when channels are first).
// The filter's extents, strides and dilations are constants of the text, so the loops unroll and a
// loaded element serves all pixels that need it.
constexpr char kText[] = R"cuda(
struct Parameters {
  u32 count; Divisor channels, groups_w, groups_h; s32 h, w, out_h, out_w, pad_h, pad_w;
  float alpha, beta, input_alpha, input_beta, input_scale, input_shift;
};
DEVICE float Sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }
DEVICE float Activate(float x, float alpha, float beta) { return ACTIVATION; }
DEVICE float ActivateInput(float x, float alpha, float beta) { return INPUT_ACTIVATION; }
DEVICE float InputOf(float x, const Parameters& p) {
  x = ActivateInput(x, p.input_alpha, p.input_beta);
  return INPUT_AFFINE ? x * p.input_scale + p.input_shift : x;
}
// Two halves at once.
DEVICE u32 ClipPair(u32 x, u32 low, u32 high) {
#if PACKED_CLIP
  asm("max." HALF_TYPE "x2 %0, %1, %2;" : "=r"(x) : "r"(x), "r"(low));
  asm("min." HALF_TYPE "x2 %0, %1, %2;" : "=r"(x) : "r"(x), "r"(high));
#endif
  return x;
}
DEVICE u32 Twice(float x) {
  const T y = Narrow<T>(x);
  u32 bits = 0;
#if PACKED_CLIP
  bits = y.bits | (u32)y.bits << 16;
#endif
  return bits;
}
DEVICE bool Meets(int at, int output, int stride, int dilation, int filter) {
  const int d = at - output * stride;
  return d >= 0 && d % dilation == 0 && d / dilation < filter;
}
extern "C" __global__ void __launch_bounds__(256) depthwise(const T* x, const T* filter, const T* bias, T* y, const __grid_constant__ Parameters p) {
  const u32 index = blockIdx.x * 256 + threadIdx.x;
  if (index >= p.count) return;
  u32 channel, group_w, group_h, image, rest;
  if (CHANNELS_LAST) {
    rest = p.channels.Split(index, &channel);
    rest = p.groups_w.Split(rest, &group_w);
    image = p.groups_h.Split(rest, &group_h);
  } else {
    rest = p.groups_w.Split(index, &group_w);
    rest = p.groups_h.Split(rest, &group_h);
    image = p.channels.Split(rest, &channel);
  }
  const u32 channels = p.channels.divisor * W;
  const u32 pixel_step = CHANNELS_LAST ? channels : 1;
  x += CHANNELS_LAST ? (u64)image * p.h * p.w * channels + channel * W
                     : ((u64)image * channels + channel) * p.h * p.w;
  y += CHANNELS_LAST ? (u64)image * p.out_h * p.out_w * channels + channel * W
                     : ((u64)image * channels + channel) * p.out_h * p.out_w;
  filter += CHANNELS_LAST ? channel * W : channel * R * S;
  const s32 first_row = group_h * PY, first = group_w * PX;
  const s32 top = first_row * STRIDE_H - p.pad_h, left = first * STRIDE_W - p.pad_w;
  const u32 low = Twice(p.input_alpha), high = Twice(p.input_beta);
  float sum[PY][PX][W];
  #pragma unroll
  for (int e = 0; e < W; ++e) {
    const float b = BIAS ? Widen(bias[channel * W + e]) : 0.0f;
    #pragma unroll
    for (int py = 0; py < PY; ++py) {
      #pragma unroll
      for (int px = 0; px < PX; ++px) sum[py][px][e] = b;
    }
  }
  // Without branches, so that the loads of all rows are on their way at once: what lies outside is
  // read from the border and then left out.
  #pragma unroll
  for (int ri = 0; ri < (PY - 1) * STRIDE_H + (R - 1) * DILATION_H + 1; ++ri) {
    bool row_used = false;
    #pragma unroll
    for (int py = 0; py < PY; ++py) row_used |= Meets(ri, py, STRIDE_H, DILATION_H, R);
    if (!row_used) continue;
    const s32 i = top + ri;
    const bool row_inside = i >= 0 && i < p.h;
    const u32 line = (u32)(min(max(i, 0), p.h - 1) * p.w) * pixel_step;
    #pragma unroll
    for (int c = 0; c < (PX - 1) * STRIDE_W + (S - 1) * DILATION_W + 1; ++c) {
      bool used = false;
      #pragma unroll
      for (int px = 0; px < PX; ++px) used |= Meets(c, px, STRIDE_W, DILATION_W, S);
      if (!used) continue;
      const s32 j = left + c;
      const bool inside = row_inside && j >= 0 && j < p.w;
      auto pack = LoadPack<W>(x + line + (u32)min(max(j, 0), p.w - 1) * pixel_step);
      if (PACKED) {
        u32* words = reinterpret_cast<u32*>(&pack);
        #pragma unroll
        for (int i = 0; i < (int)sizeof(pack) / 4; ++i) words[i] = inside ? ClipPair(words[i], low, high) : 0;
      }
      float v[W];
      #pragma unroll
      for (int e = 0; e < W; ++e) v[e] = PACKED ? Widen(pack.at[e]) : inside ? InputOf(Widen(pack.at[e]), p) : 0.0f;
      #pragma unroll
      for (int py = 0; py < PY; ++py) {
        if (!Meets(ri, py, STRIDE_H, DILATION_H, R)) continue;
        #pragma unroll
        for (int px = 0; px < PX; ++px) {
          if (!Meets(c, px, STRIDE_W, DILATION_W, S)) continue;
          const int tap = (ri - py * STRIDE_H) / DILATION_H * S + (c - px * STRIDE_W) / DILATION_W;
          const auto weight = LoadPack<W>(filter + (CHANNELS_LAST ? tap * channels : tap));
          #pragma unroll
          for (int e = 0; e < W; ++e) sum[py][px][e] += v[e] * Widen(weight.at[e]);
        }
      }
    }
  }
  #pragma unroll
  for (int py = 0; py < PY; ++py) {
    #pragma unroll
    for (int px = 0; px < PX; ++px) {
      if (first_row + py >= p.out_h || first + px >= p.out_w) continue;
      Pack<T, W> out;
      #pragma unroll
      for (int e = 0; e < W; ++e) out.at[e] = Narrow<T>(Activate(sum[py][px][e], p.alpha, p.beta));
      StorePack(y + (u32)((first_row + py) * p.out_w + first + px) * pixel_step, out);
    }
  }
}
)cuda";

struct Parameters {
  uint32_t count;
  Divisor channels, groups_w, groups_h;
  int32_t h, w, out_h, out_w, pad_h, pad_w;
  float alpha, beta, input_alpha, input_beta, input_scale, input_shift;
};

constexpr struct {
  DepthwiseActivation activation;
  const char* text;
} kActivations[] = {
    {DepthwiseActivation::kNone, "x"},
    {DepthwiseActivation::kRelu, "fmaxf(x, 0.0f)"},
    {DepthwiseActivation::kClip, "fminf(fmaxf(x, alpha), beta)"},
    {DepthwiseActivation::kSwish, "x * Sigmoid(x)"},
    {DepthwiseActivation::kHardSwish, "x * __saturatef(fmaf(x, 1.0f / 6.0f, 0.5f))"},
    {DepthwiseActivation::kSigmoid, "Sigmoid(x)"},
    {DepthwiseActivation::kHardSigmoid, "fminf(fmaxf(alpha * x + beta, 0.0f), 1.0f)"},
    {DepthwiseActivation::kLeakyRelu, "(x >= 0.0f ? x : alpha * x)"},
};

constexpr int64_t kMaxFilter = 11;
constexpr int kThreads = 256;
// Rows and columns of pixels a thread may make.
constexpr std::pair<int64_t, int64_t> kTiles[] = {{1, 4}, {2, 2}, {2, 4}, {1, 2}, {1, 1}};
constexpr int64_t kMaxFilterOfRows = 3;  // longer ones would not fit the registers

const char* TextOf(DepthwiseActivation activation) {
  for (const auto& row : kActivations) {
    if (row.activation == activation) return row.text;
  }
  return "x";
}

std::string Specification(const DepthwiseSpec& s) {
  const auto pair = [](const std::array<int64_t, 2>& values) {
    return StrCat(values[0], ",", values[1]);
  };
  return StrCat("depthwise convolution ", s.n, "x", s.channels, "x", s.h, "x", s.w, " by ", s.r,
                "x", s.s, " ", ProtocolName(s.type), s.channels_last ? " nhwc" : " nchw",
                " stride ", pair(s.stride), " dilation ", pair(s.dilation), " pad ",
                pair(s.pad_begin), " ", pair(s.pad_end), " from ", TextOf(s.input_activation),
                " to ", TextOf(s.activation));
}

// What a thread makes.
struct Tile {
  int64_t width;          // channels
  int64_t rows, columns;  // pixels
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeWith(Toolbox& toolbox, const DepthwiseSpec& spec,
                                                   const Tile& tile) {
  const bool affine = spec.input_scale != 1 || spec.input_shift != 0;
  const auto element = static_cast<int64_t>(ElementByteSize(spec.type));
  const bool clips = spec.input_activation == DepthwiseActivation::kClip && element == 2;
  const bool packed = !affine && tile.width * element % 4 == 0 &&
                      (clips || spec.input_activation == DepthwiseActivation::kNone);
  const std::string source = StrCat(
      DefineType("T", spec.type), DefineNumber("W", tile.width), DefineNumber("PX", tile.columns),
      DefineNumber("PY", tile.rows), DefineNumber("R", spec.r), DefineNumber("S", spec.s),
      DefineNumber("STRIDE_H", spec.stride[0]), DefineNumber("STRIDE_W", spec.stride[1]),
      DefineNumber("DILATION_H", spec.dilation[0]), DefineNumber("DILATION_W", spec.dilation[1]),
      DefineNumber("CHANNELS_LAST", spec.channels_last), DefineNumber("BIAS", spec.has_bias),
      DefineNumber("INPUT_AFFINE", affine), DefineNumber("PACKED", packed),
      DefineNumber("PACKED_CLIP", packed && clips), "#define HALF_TYPE ",
      spec.type == DataType::kBf16 ? "\"bf16\"" : "\"f16\"", "\n#define ACTIVATION ",
      TextOf(spec.activation), "\n#define INPUT_ACTIVATION ", TextOf(spec.input_activation), "\n",
      kText);
  const int64_t groups_w = CeilDivide(spec.out_w(), tile.columns);
  const int64_t groups_h = CeilDivide(spec.out_h(), tile.rows);
  const int64_t count = spec.n * (spec.channels / tile.width) * groups_h * groups_w;
  const Parameters p = {static_cast<uint32_t>(count),
                        Divisor(spec.channels / tile.width),
                        Divisor(groups_w),
                        Divisor(groups_h),
                        static_cast<int32_t>(spec.h),
                        static_cast<int32_t>(spec.w),
                        static_cast<int32_t>(spec.out_h()),
                        static_cast<int32_t>(spec.out_w()),
                        static_cast<int32_t>(spec.pad_begin[0]),
                        static_cast<int32_t>(spec.pad_begin[1]),
                        spec.alpha,
                        spec.beta,
                        spec.input_alpha,
                        spec.input_beta,
                        spec.input_scale,
                        spec.input_shift};
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "depthwise"));
  launch.grid_x = CeilDivide(count, kThreads);
  launch.block = kThreads;
  launch.arguments = {Input(0), Input(1), Input(2), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeDepthwise(Toolbox& toolbox,
                                                        const DepthwiseSpec& spec) {
  if (spec.type != DataType::kFp32 && spec.type != DataType::kFp16 &&
      spec.type != DataType::kBf16) {
    return absl::UnimplementedError(StrCat("depthwise convolution of ", ProtocolName(spec.type)));
  }
  if (spec.r > kMaxFilter || spec.s > kMaxFilter) {
    return absl::UnimplementedError(StrCat("a depthwise filter of ", spec.r, "×", spec.s));
  }
  const int64_t out_h = spec.out_h(), out_w = spec.out_w();
  NEREID_RETURN_IF_ERROR(CheckIndexRange(
      {spec.n * spec.channels * out_h * out_w, spec.n * spec.channels * spec.h * spec.w}));
  int64_t width = spec.channels_last ? static_cast<int64_t>(16 / ElementByteSize(spec.type)) : 1;
  while (spec.channels % width != 0) width /= 2;
  // More pixels a thread reuse more; fewer leave more threads, and registers, to load ahead.
  std::vector<Alternative> alternatives;
  const int64_t resident = int64_t{toolbox.context()->multiprocessors()} * 512;
  for (const auto& [rows, columns] : kTiles) {
    const int64_t threads =
        spec.n * CeilDivide(out_h, rows) * CeilDivide(out_w, columns) * (spec.channels / width);
    const bool fills = columns == 1 || (columns / 2 < out_w && threads >= resident);
    if (!fills || (rows > 1 && spec.r > kMaxFilterOfRows)) continue;
    alternatives.push_back({StrCat(rows, "x", columns, " pixels"),
                            [&toolbox, &spec, tile = Tile{width, rows, columns}] {
                              return MakeWith(toolbox, spec, tile);
                            }});
  }
  const auto bytes = [&](int64_t count) {
    return static_cast<size_t>(count) * ElementByteSize(spec.type);
  };
  const RaceOperands operands = {
      {bytes(spec.n * spec.channels * spec.h * spec.w), bytes(spec.channels * spec.r * spec.s),
       spec.has_bias ? bytes(spec.channels) : 0},
      {bytes(spec.n * spec.channels * out_h * out_w)}};
  return MakeFastest(toolbox, Specification(spec), alternatives, operands);
}

}  // namespace nereid::engine
