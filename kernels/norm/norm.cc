#include "kernels/norm/norm.h"

#include <algorithm>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// LANES threads a row: a warp, or the whole block. A thread keeps its K packs of W elements.
constexpr char kRowText[] = R"cuda(
template <typename C, typename F> DEVICE C RowReduce(C x, F f) { return LANES == 32 ? WarpReduce(x, f) : BlockReduce(x, f); }
// N elements, widened: at most 16 bytes at a time.
template <int N, typename U> DEVICE void LoadWide(const U* from, float (&to)[N]) {
  constexpr int kStep = 16 / sizeof(U) < N ? 16 / sizeof(U) : N;
  #pragma unroll
  for (int i = 0; i < N; i += kStep) {
    const auto pack = LoadPack<kStep>(from + i);
    #pragma unroll
    for (int e = 0; e < kStep; ++e) to[i + e] = Widen(pack.at[e]);
  }
}
extern "C" __global__ void __launch_bounds__(THREADS) row_norm(
    const T* x, const S* scale, const S* bias, const T* residual, T* y, T* sum_out, float* means,
    float* deviations, u32 rows, u32 n, float epsilon) {
  const u32 row = blockIdx.x * (THREADS / LANES) + threadIdx.x / LANES, lane = threadIdx.x % LANES;
  if (row >= rows) return;
  const u64 base = (u64)row * n;
  float v[K][W];
  #pragma unroll
  for (int k = 0; k < K; ++k) {
    const u32 i = (k * LANES + lane) * W;
    if (i < n) LoadWide(x + base + i, v[k]);
  }
  float total = 0;
  #pragma unroll
  for (int k = 0; k < K; ++k) {
    const u32 i = (k * LANES + lane) * W;
    if (i >= n) continue;
    if (RESIDUAL) {
      float r[W];
      LoadWide(residual + base + i, r);
      #pragma unroll
      for (int e = 0; e < W; ++e) v[k][e] += r[e];
    }
    if (SUM) {
      Pack<T, W> s;
      #pragma unroll
      for (int e = 0; e < W; ++e) s.at[e] = Narrow<T>(v[k][e]);
      StorePack(sum_out + base + i, s);
    }
    #pragma unroll
    for (int e = 0; e < W; ++e) total += RMS ? v[k][e] * v[k][e] : v[k][e];
  }
  total = RowReduce(total, AddOf());
  const float mean = RMS ? 0.0f : total / n;
  float squares = total;
  if (!RMS) {
    squares = 0;
    #pragma unroll
    for (int k = 0; k < K; ++k) {
      if ((k * LANES + lane) * W >= n) continue;
      #pragma unroll
      for (int e = 0; e < W; ++e) squares += (v[k][e] - mean) * (v[k][e] - mean);
    }
    squares = RowReduce(squares, AddOf());
  }
  const float inverse = rsqrtf(squares / n + epsilon);
  #pragma unroll
  for (int k = 0; k < K; ++k) {
    const u32 i = (k * LANES + lane) * W;
    if (i >= n) continue;
    float factor[W], addend[W];
    if (SCALE) LoadWide(scale + i, factor);
    if (BIAS) LoadWide(bias + i, addend);
    Pack<T, W> out;
    #pragma unroll
    for (int e = 0; e < W; ++e) {
      float z = (v[k][e] - mean) * inverse;
      if (SCALE) z *= factor[e];
      if (BIAS) z += addend[e];
      out.at[e] = Narrow<T>(z);
    }
    StorePack(y + base + i, out);
  }
  if (STATISTICS && lane == 0) {
    if (means) means[row] = mean;
    if (deviations) deviations[row] = inverse;
  }
}
)cuda";

// A block a row too long for the registers: read again for every pass.
constexpr char kLongRowText[] = R"cuda(
extern "C" __global__ void __launch_bounds__(THREADS) row_norm(
    const T* x, const S* scale, const S* bias, const T* residual, T* y, T* sum_out, float* means,
    float* deviations, u32 rows, u32 n, float epsilon) {
  const u64 base = (u64)blockIdx.x * n;
  const auto at = [&](u32 i) { return Widen(x[base + i]) + (RESIDUAL ? Widen(residual[base + i]) : 0.0f); };
  float total = 0;
  for (u32 i = threadIdx.x; i < n; i += THREADS) {
    const float v = at(i);
    if (SUM) sum_out[base + i] = Narrow<T>(v);
    total += RMS ? v * v : v;
  }
  total = BlockReduce(total, AddOf());
  const float mean = RMS ? 0.0f : total / n;
  float squares = total;
  if (!RMS) {
    squares = 0;
    for (u32 i = threadIdx.x; i < n; i += THREADS) squares += (at(i) - mean) * (at(i) - mean);
    squares = BlockReduce(squares, AddOf());
  }
  const float inverse = rsqrtf(squares / n + epsilon);
  for (u32 i = threadIdx.x; i < n; i += THREADS) {
    float z = (at(i) - mean) * inverse;
    if (SCALE) z *= Widen(scale[i]);
    if (BIAS) z += Widen(bias[i]);
    y[base + i] = Narrow<T>(z);
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

// How the threads share the rows.
struct RowPlan {
  int64_t width;    // elements that are loaded at once
  int64_t lanes;    // threads a row
  int64_t packs;    // of a thread
  int64_t threads;  // a block
};
constexpr int64_t kPacksOfLane = 4;
constexpr int64_t kMostPacks = 8;
constexpr int64_t kMostThreads = 1024;

RowPlan PlanRows(const RowNormSpec& spec, int64_t multiprocessors) {
  RowPlan plan{};
  plan.width = static_cast<int64_t>(16 / ElementByteSize(spec.type));
  while (spec.n % plan.width != 0) plan.width /= 2;
  const int64_t packs = CeilDivide(spec.n, plan.width);
  plan.lanes = 32;
  while (plan.lanes < kMostThreads && plan.lanes * kPacksOfLane < packs) plan.lanes *= 2;
  plan.packs = std::max<int64_t>(CeilDivide(packs, plan.lanes), 1);
  // Several rows a block once every multiprocessor has some.
  plan.threads = plan.lanes;
  while (plan.lanes == 32 && plan.threads < 256 &&
         spec.rows >= 2 * multiprocessors * plan.threads / plan.lanes) {
    plan.threads *= 2;
  }
  return plan;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRowNorm(Toolbox& toolbox, const RowNormSpec& spec) {
  if (!IsFloating(spec.type) || !IsFloating(spec.scale_type)) {
    return absl::UnimplementedError(StrCat("normalisation of ", ProtocolName(spec.type)));
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.rows, spec.n}));
  const RowPlan plan = PlanRows(spec, toolbox.context()->multiprocessors());
  const bool fits = plan.packs <= kMostPacks;
  const std::string source = StrCat(
      DefineType("T", spec.type), DefineType("S", spec.scale_type), DefineNumber("W", plan.width),
      DefineNumber("LANES", plan.lanes), DefineNumber("K", plan.packs),
      DefineNumber("THREADS", plan.threads), DefineNumber("RMS", spec.rms),
      DefineNumber("SCALE", spec.has_scale), DefineNumber("BIAS", spec.has_bias),
      DefineNumber("RESIDUAL", spec.has_residual), DefineNumber("SUM", spec.sum_output),
      DefineNumber("STATISTICS", spec.statistics_output), fits ? kRowText : kLongRowText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "row_norm"));
  launch.grid_x = spec.n == 0 ? 0 : CeilDivide(spec.rows, plan.threads / plan.lanes);
  launch.block = static_cast<int>(plan.threads);
  const size_t statistics = spec.sum_output ? 2 : 1;
  launch.arguments = {Input(0),
                      Input(1),
                      Input(2),
                      Input(3),
                      Output(0),
                      Output(1),
                      Output(statistics),
                      Output(statistics + 1),
                      Value(static_cast<uint32_t>(spec.rows)),
                      Value(static_cast<uint32_t>(spec.n)),
                      Value(spec.epsilon)};
  return KernelOp::Create(toolbox, std::move(launch), {.in_place = fits});
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
