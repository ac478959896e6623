#include "kernels/resize/resize.h"

#include <cmath>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr char kText[] = R"cuda(
struct Parameters { u32 count; Divisor channels, out_w, out_h; s32 in_h, in_w; float scale_h, scale_w, exact_h, exact_w, cubic; };
// Where in the input output i lies; `scale` is output over input extent, `exact` the output extent before it was
// rounded down.
DEVICE float Source(float i, float scale, float exact, s32 in, s32 out) {
  switch (COORDINATES) {
    case 0: return (i + 0.5f) / scale - 0.5f;
    case 1: {
      const float adjustment = out / (scale * in);
      return in * 0.5f * (1.0f - adjustment) + (i + 0.5f) / scale - 0.5f;
    }
    case 2: return out > 1 ? (i + 0.5f) / scale - 0.5f : 0.0f;
    case 3: return exact != 1.0f ? i * (in - 1) / (exact - 1.0f) : 0.0f;
    default: return i / scale;
  }
}
DEVICE s32 Nearest(float x, s32 n) {
  const float r = ROUNDING == 0 ? ceilf(x - 0.5f) : ROUNDING == 1 ? floorf(x + 0.5f) : ROUNDING == 2 ? floorf(x) : ceilf(x);
  return min(max((s32)r, 0), n - 1);
}
// The taps around x: their positions, clamped, and weights.
template <int N> struct Taps { s32 at[N]; float weight[N]; };
DEVICE void Linear(float x, s32 n, Taps<2>* t) {
  x = fminf(fmaxf(x, 0.0f), (float)(n - 1));
  const s32 low = min((s32)x, n - 1);
  t->at[0] = low;
  t->at[1] = min(low + 1, n - 1);
  t->weight[1] = x - low;
  t->weight[0] = 1.0f - t->weight[1];
}
DEVICE void Cubic(float x, s32 n, float a, Taps<4>* t) {
  const float base = floorf(x), f = x - base;
  const float d[4] = {f + 1, f, 1 - f, 2 - f};
  t->weight[0] = ((a * d[0] - 5 * a) * d[0] + 8 * a) * d[0] - 4 * a;
  t->weight[1] = ((a + 2) * d[1] - (a + 3)) * d[1] * d[1] + 1;
  t->weight[2] = ((a + 2) * d[2] - (a + 3)) * d[2] * d[2] + 1;
  t->weight[3] = ((a * d[3] - 5 * a) * d[3] + 8 * a) * d[3] - 4 * a;
  float sum = 0;
  #pragma unroll
  for (int i = 0; i < 4; ++i) {
    const s32 at = (s32)base - 1 + i;
    if (EXCLUDE_OUTSIDE && (at < 0 || at >= n)) t->weight[i] = 0;
    t->at[i] = min(max(at, 0), n - 1);
    sum += t->weight[i];
  }
  if (EXCLUDE_OUTSIDE) for (int i = 0; i < 4; ++i) t->weight[i] /= sum;
}
extern "C" __global__ void __launch_bounds__(256) resize(const T* x, T* y, const __grid_constant__ Parameters p) {
  const u32 index = blockIdx.x * 256 + threadIdx.x;
  if (index >= p.count) return;
  u32 channel = 0, row, column, image, rest = index;
  if (CHANNELS_LAST) rest = p.channels.Split(rest, &channel);
  rest = p.out_w.Split(rest, &column);
  image = p.out_h.Split(rest, &row);
  const u64 step = CHANNELS_LAST ? p.channels.divisor : 1;
  x += (u64)image * p.in_h * p.in_w * step + channel;
  const float sh = Source(row, p.scale_h, p.exact_h, p.in_h, p.out_h.divisor),
              sw = Source(column, p.scale_w, p.exact_w, p.in_w, p.out_w.divisor);
#if TAPS == 1
  y[index] = x[((u64)Nearest(sh, p.in_h) * p.in_w + Nearest(sw, p.in_w)) * step];
#else
  Taps<TAPS> h, w;
#if TAPS == 2
  Linear(sh, p.in_h, &h);
  Linear(sw, p.in_w, &w);
#else
  Cubic(sh, p.in_h, p.cubic, &h);
  Cubic(sw, p.in_w, p.cubic, &w);
#endif
  float sum = 0;
  #pragma unroll
  for (int i = 0; i < TAPS; ++i) {
    float line = 0;
    #pragma unroll
    for (int j = 0; j < TAPS; ++j) line += w.weight[j] * (float)Widen(x[((u64)h.at[i] * p.in_w + w.at[j]) * step]);
    sum += h.weight[i] * line;
  }
  y[index] = Narrow<T>((ComputeType<T>)sum);
#endif
}
)cuda";

struct Parameters {
  uint32_t count;
  Divisor channels, out_w, out_h;
  int32_t in_h, in_w;
  float scale_h, scale_w, exact_h, exact_w, cubic;
};

// A scale that gives a whole number but for rounding gives that number.
float ExactOutput(float scale, int64_t out, int64_t in) {
  constexpr double kRounding = 1e-4;
  const double exact = scale > 0 ? double(scale) * double(in) : double(out);
  return static_cast<float>(std::fabs(exact - double(out)) < kRounding ? double(out) : exact);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeResize(Toolbox& toolbox, const ResizeSpec& spec) {
  if (KernelTypeName(spec.type).empty()) {
    return absl::UnimplementedError(StrCat("Resize of ", ProtocolName(spec.type)));
  }
  const int64_t count = spec.n * spec.channels * spec.out_h * spec.out_w;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({count, spec.in_h * spec.in_w * spec.channels}));
  const int taps = spec.mode == ResizeMode::kNearest ? 1 : spec.mode == ResizeMode::kLinear ? 2 : 4;
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineNumber("TAPS", taps),
             DefineNumber("COORDINATES", static_cast<int64_t>(spec.coordinates)),
             DefineNumber("ROUNDING", static_cast<int64_t>(spec.rounding)),
             DefineNumber("EXCLUDE_OUTSIDE", spec.exclude_outside),
             DefineNumber("CHANNELS_LAST", spec.channels_last), kText);
  const auto scale = [](float given, int64_t out, int64_t in) {
    return given > 0 ? given : static_cast<float>(out) / static_cast<float>(in);
  };
  const Parameters p = {static_cast<uint32_t>(count),
                        Divisor(spec.channels),
                        Divisor(spec.out_w),
                        Divisor(spec.out_h),
                        static_cast<int32_t>(spec.in_h),
                        static_cast<int32_t>(spec.in_w),
                        scale(spec.scale_h, spec.out_h, spec.in_h),
                        scale(spec.scale_w, spec.out_w, spec.in_w),
                        ExactOutput(spec.scale_h, spec.out_h, spec.in_h),
                        ExactOutput(spec.scale_w, spec.out_w, spec.in_w),
                        spec.cubic_coefficient};
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "resize"));
  launch.grid_x = CeilDivide(count, 256);
  launch.arguments = {Input(0), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
