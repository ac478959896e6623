#include "kernels/depthwise/depthwise.h"

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// A thread makes PX neighbouring pixels of a row, of W channels (one when channels are first). The
// filter's extents, strides and dilations are constants of the text, so the loops unroll and a
// loaded element serves all pixels that need it.
constexpr char kText[] = R"cuda(
struct Parameters { u32 count; Divisor channels, groups_w, out_h; s32 h, w, out_w, pad_h, pad_w; float alpha, beta; };
DEVICE float Sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }
DEVICE float Activate(float x, const Parameters& p) { return ACTIVATION; }
extern "C" __global__ void __launch_bounds__(256) depthwise(const T* x, const T* filter, const T* bias, T* y, const __grid_constant__ Parameters p) {
  const u32 index = blockIdx.x * 256 + threadIdx.x;
  if (index >= p.count) return;
  u32 channel, group, row, image, rest;
  if (CHANNELS_LAST) {
    rest = p.channels.Split(index, &channel);
    rest = p.groups_w.Split(rest, &group);
    image = p.out_h.Split(rest, &row);
  } else {
    rest = p.groups_w.Split(index, &group);
    rest = p.out_h.Split(rest, &row);
    image = p.channels.Split(rest, &channel);
  }
  const u32 channels = p.channels.divisor * W;
  const u64 pixel_step = CHANNELS_LAST ? channels : 1;
  const u64 image_channel = CHANNELS_LAST ? (u64)image * p.h * p.w * channels + channel * W
                                          : ((u64)image * channels + channel) * p.h * p.w;
  const s32 first = group * PX;
  const s32 top = (s32)row * STRIDE_H - p.pad_h, left = first * STRIDE_W - p.pad_w;
  float sum[PX][W];
  #pragma unroll
  for (int e = 0; e < W; ++e) {
    const float b = BIAS ? Widen(bias[channel * W + e]) : 0.0f;
    #pragma unroll
    for (int px = 0; px < PX; ++px) sum[px][e] = b;
  }
  #pragma unroll
  for (int r = 0; r < R; ++r) {
    const s32 i = top + r * DILATION_H;
    if (i < 0 || i >= p.h) continue;
    float weight[S][W];
    #pragma unroll
    for (int s = 0; s < S; ++s) {
      const u64 at = CHANNELS_LAST ? (u64)(r * S + s) * channels + channel * W : (u64)channel * R * S + r * S + s;
      const auto pack = LoadPack<W>(filter + at);
      #pragma unroll
      for (int e = 0; e < W; ++e) weight[s][e] = Widen(pack.at[e]);
    }
    const T* line = x + image_channel + (u64)i * p.w * pixel_step;
    #pragma unroll
    for (int c = 0; c < (PX - 1) * STRIDE_W + (S - 1) * DILATION_W + 1; ++c) {
      const s32 j = left + c;
      if (j < 0 || j >= p.w) continue;
      bool used = false;
      #pragma unroll
      for (int px = 0; px < PX; ++px) {
        const int d = c - px * STRIDE_W;
        if (d >= 0 && d % DILATION_W == 0 && d / DILATION_W < S) used = true;
      }
      if (!used) continue;
      const auto pack = LoadPack<W>(line + j * pixel_step);
      #pragma unroll
      for (int px = 0; px < PX; ++px) {
        const int d = c - px * STRIDE_W;
        if (d >= 0 && d % DILATION_W == 0 && d / DILATION_W < S) {
          #pragma unroll
          for (int e = 0; e < W; ++e) sum[px][e] += Widen(pack.at[e]) * weight[d / DILATION_W][e];
        }
      }
    }
  }
  const u64 out_row = CHANNELS_LAST ? ((u64)image * p.out_h.divisor + row) * p.out_w * channels + channel * W
                                    : (((u64)image * channels + channel) * p.out_h.divisor + row) * p.out_w;
  #pragma unroll
  for (int px = 0; px < PX; ++px) {
    if (first + px >= p.out_w) continue;
    Pack<T, W> out;
    #pragma unroll
    for (int e = 0; e < W; ++e) out.at[e] = Narrow<T>(Activate(sum[px][e], p));
    StorePack(y + out_row + (first + px) * pixel_step, out);
  }
}
)cuda";

struct Parameters {
  uint32_t count;
  Divisor channels, groups_w, out_h;
  int32_t h, w, out_w, pad_h, pad_w;
  float alpha, beta;
};

constexpr struct {
  DepthwiseActivation activation;
  const char* text;
} kActivations[] = {
    {DepthwiseActivation::kNone, "x"},
    {DepthwiseActivation::kRelu, "fmaxf(x, 0.0f)"},
    {DepthwiseActivation::kClip, "fminf(fmaxf(x, p.alpha), p.beta)"},
    {DepthwiseActivation::kSwish, "x * Sigmoid(x)"},
    {DepthwiseActivation::kHardSwish, "x * fminf(fmaxf(x / 6.0f + 0.5f, 0.0f), 1.0f)"},
    {DepthwiseActivation::kSigmoid, "Sigmoid(x)"},
    {DepthwiseActivation::kHardSigmoid, "fminf(fmaxf(p.alpha * x + p.beta, 0.0f), 1.0f)"},
    {DepthwiseActivation::kLeakyRelu, "(x >= 0.0f ? x : p.alpha * x)"},
};

constexpr int64_t kMaxFilter = 11;

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
  // More pixels a thread reuse more, as long as enough threads are left and registers suffice.
  int64_t pixels = width >= 8 && spec.s > 5 ? 2 : 4;
  const int64_t resident = int64_t{toolbox.context()->multiprocessors()} * 1024;
  while (pixels > 1 &&
         (pixels / 2 >= out_w ||
          spec.n * out_h * CeilDivide(out_w, pixels) * (spec.channels / width) < resident)) {
    pixels /= 2;
  }
  std::string activation = "x";
  for (const auto& row : kActivations) {
    if (row.activation == spec.activation) activation = row.text;
  }
  const std::string source = StrCat(
      DefineType("T", spec.type), DefineNumber("W", width), DefineNumber("PX", pixels),
      DefineNumber("R", spec.r), DefineNumber("S", spec.s),
      DefineNumber("STRIDE_H", spec.stride[0]), DefineNumber("STRIDE_W", spec.stride[1]),
      DefineNumber("DILATION_H", spec.dilation[0]), DefineNumber("DILATION_W", spec.dilation[1]),
      DefineNumber("CHANNELS_LAST", spec.channels_last), DefineNumber("BIAS", spec.has_bias),
      "#define ACTIVATION ", activation, "\n", kText);
  const int64_t groups = CeilDivide(out_w, pixels);
  const int64_t count = spec.n * (spec.channels / width) * out_h * groups;
  const Parameters p = {static_cast<uint32_t>(count),
                        Divisor(spec.channels / width),
                        Divisor(groups),
                        Divisor(out_h),
                        static_cast<int32_t>(spec.h),
                        static_cast<int32_t>(spec.w),
                        static_cast<int32_t>(out_w),
                        static_cast<int32_t>(spec.pad_begin[0]),
                        static_cast<int32_t>(spec.pad_begin[1]),
                        spec.alpha,
                        spec.beta};
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "depthwise"));
  launch.grid_x = CeilDivide(count, 256);
  launch.arguments = {Input(0), Input(1), Input(2), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
