#include "kernels/norm/norm.h"

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// A block a row. With CACHE the row is kept, widened, in shared memory; else it is read again.
constexpr char kRowText[] = R"cuda(
extern __shared__ float cached[];
extern "C" __global__ void __launch_bounds__(THREADS) row_norm(
    const T* x, const S* scale, const S* bias, const T* residual, T* y, T* sum_out, float* means,
    float* deviations, u32 n, float epsilon) {
  const u64 base = (u64)blockIdx.x * n;
  x += base;
  y += base;
  if (RESIDUAL) residual += base;
  if (SUM) sum_out += base;
  float total = 0;
  for (u32 i = threadIdx.x * W; i < n; i += THREADS * W) {
    const auto a = LoadPack<W>(x + i);
    Pack<T, W> r, s;
    if (RESIDUAL) r = LoadPack<W>(residual + i);
    #pragma unroll
    for (int e = 0; e < W; ++e) {
      float v = Widen(a.at[e]);
      if (RESIDUAL) v += Widen(r.at[e]);
      if (SUM) s.at[e] = Narrow<T>(v);
      if (CACHE) cached[i + e] = v;
      total += RMS ? v * v : v;
    }
    if (SUM) StorePack(sum_out + i, s);
  }
  total = BlockReduce(total, AddOf());
  const float mean = RMS ? 0.0f : total / n;
  float squares = total;
  if (!RMS) {
    squares = 0;
    for (u32 i = threadIdx.x * W; i < n; i += THREADS * W) {
      #pragma unroll
      for (int e = 0; e < W; ++e) {
        const float v = CACHE ? cached[i + e] : Widen(x[i + e]) + (RESIDUAL ? Widen(residual[i + e]) : 0.0f);
        squares += (v - mean) * (v - mean);
      }
    }
    squares = BlockReduce(squares, AddOf());
  }
  const float inverse = rsqrtf(squares / n + epsilon);
  for (u32 i = threadIdx.x * W; i < n; i += THREADS * W) {
    Pack<T, W> out;
    #pragma unroll
    for (int e = 0; e < W; ++e) {
      const float v = CACHE ? cached[i + e] : Widen(x[i + e]) + (RESIDUAL ? Widen(residual[i + e]) : 0.0f);
      float z = (v - mean) * inverse;
      if (SCALE) z *= Widen(scale[i + e]);
      if (BIAS) z += Widen(bias[i + e]);
      out.at[e] = Narrow<T>(z);
    }
    StorePack(y + i, out);
  }
  if (STATISTICS && threadIdx.x == 0) {
    if (means) means[blockIdx.x] = mean;
    if (deviations) deviations[blockIdx.x] = inverse;
  }
}
)cuda";

// A block a group of one image: its elements are channels [g·size, (g+1)·size) of all pixels.
constexpr char kGroupText[] = R"cuda(
struct Parameters { u32 channels, pixels, groups; Divisor size, pixel; float epsilon; };
extern "C" __global__ void __launch_bounds__(512) group_norm(
    const T* x, const S* scale, const S* bias, T* y, const __grid_constant__ Parameters p) {
  const u32 image = blockIdx.x / p.groups, group = blockIdx.x % p.groups;
  const u32 size = p.size.divisor, count = size * p.pixels;
  const u64 base = (u64)image * p.channels * p.pixels + (CHANNELS_LAST ? (u64)group * size : (u64)group * count);
  x += base;
  y += base;
  // Where element i lies, and its channel within the group.
  auto place = [&](u32 i, u32* channel) -> u32 {
    if (!CHANNELS_LAST) {
      *channel = p.pixel.Quotient(i);
      return i;
    }
    const u32 at = p.size.Split(i, channel);
    return at * p.channels + *channel;
  };
  float total = 0;
  u32 channel;
  for (u32 i = threadIdx.x; i < count; i += 512) total += Widen(x[place(i, &channel)]);
  const float mean = BlockReduce(total, AddOf()) / count;
  float squares = 0;
  for (u32 i = threadIdx.x; i < count; i += 512) {
    const float d = Widen(x[place(i, &channel)]) - mean;
    squares += d * d;
  }
  const float inverse = rsqrtf(BlockReduce(squares, AddOf()) / count + p.epsilon);
  for (u32 i = threadIdx.x; i < count; i += 512) {
    const u32 at = place(i, &channel);
    float z = (Widen(x[at]) - mean) * inverse;
    if (SCALE) z *= Widen(scale[group * size + channel]);
    if (BIAS) z += Widen(bias[group * size + channel]);
    if (SWISH) z = z / (1.0f + expf(-z));
    y[at] = Narrow<T>(z);
  }
}
)cuda";

struct GroupParameters {
  uint32_t channels, pixels, groups;
  Divisor size, pixel;
  float epsilon;
};

bool IsFloating(DataType type) {
  return type == DataType::kFp32 || type == DataType::kFp16 || type == DataType::kBf16;
}

constexpr int64_t kCachedElements = 12 << 10;  // 48 KiB

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRowNorm(Toolbox& toolbox, const RowNormSpec& spec) {
  if (!IsFloating(spec.type) || !IsFloating(spec.scale_type)) {
    return absl::UnimplementedError(StrCat("normalisation of ", ProtocolName(spec.type)));
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.rows, spec.n}));
  int64_t width = static_cast<int64_t>(16 / ElementByteSize(spec.type));
  while (spec.n % width != 0) width /= 2;
  const bool cache = spec.n <= kCachedElements;
  int threads = 512;
  while (threads > 32 && threads * width / 2 >= spec.n) threads /= 2;
  const std::string source = StrCat(
      DefineType("T", spec.type), DefineType("S", spec.scale_type), DefineNumber("W", width),
      DefineNumber("THREADS", threads), DefineNumber("CACHE", cache), DefineNumber("RMS", spec.rms),
      DefineNumber("SCALE", spec.has_scale), DefineNumber("BIAS", spec.has_bias),
      DefineNumber("RESIDUAL", spec.has_residual), DefineNumber("SUM", spec.sum_output),
      DefineNumber("STATISTICS", spec.statistics_output), kRowText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "row_norm"));
  launch.grid_x = spec.n == 0 ? 0 : spec.rows;
  launch.block = threads;
  launch.shared_bytes = cache ? static_cast<size_t>(spec.n) * 4 : 0;
  const size_t statistics = spec.sum_output ? 2 : 1;
  launch.arguments = {Input(0),
                      Input(1),
                      Input(2),
                      Input(3),
                      Output(0),
                      Output(1),
                      Output(statistics),
                      Output(statistics + 1),
                      Value(static_cast<uint32_t>(spec.n)),
                      Value(spec.epsilon)};
  return KernelOp::Create(toolbox, std::move(launch), {.in_place = cache});
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGroupNorm(Toolbox& toolbox,
                                                        const GroupNormSpec& spec) {
  if (!IsFloating(spec.type) || !IsFloating(spec.scale_type)) {
    return absl::UnimplementedError(StrCat("normalisation of ", ProtocolName(spec.type)));
  }
  if (spec.groups < 1 || spec.channels % spec.groups != 0) {
    return absl::InvalidArgumentError(
        StrCat(spec.channels, " channels in ", spec.groups, " groups"));
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.channels * spec.pixels, spec.n * spec.groups}));
  const std::string source = StrCat(
      DefineType("T", spec.type), DefineType("S", spec.scale_type),
      DefineNumber("CHANNELS_LAST", spec.channels_last), DefineNumber("SCALE", spec.has_scale),
      DefineNumber("BIAS", spec.has_bias), DefineNumber("SWISH", spec.swish), kGroupText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "group_norm"));
  launch.grid_x = spec.pixels == 0 ? 0 : spec.n * spec.groups;
  launch.block = 512;
  const GroupParameters parameters = {static_cast<uint32_t>(spec.channels),
                                      static_cast<uint32_t>(spec.pixels),
                                      static_cast<uint32_t>(spec.groups),
                                      Divisor(spec.channels / spec.groups),
                                      Divisor(spec.pixels),
                                      spec.epsilon};
  launch.arguments = {Input(0), Input(1), Input(2), Output(0), Value(parameters)};
  return KernelOp::Create(toolbox, std::move(launch), {.in_place = true});
}

}  // namespace nereid::engine
