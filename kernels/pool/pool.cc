#include "kernels/pool/pool.h"

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"
#include "kernels/reduce/reduce.h"

namespace nereid::engine {
namespace {

// A thread a pack of W outputs (side by side in channels when channels are last).
constexpr char kText[] = R"cuda(
typedef ComputeType<T> C;
struct Parameters { u32 packs; Divisor channels, out_w, out_h; s32 h, w, rows, columns, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w, end_h, end_w; };
extern "C" __global__ void __launch_bounds__(256) pool(const T* x, T* y, const __grid_constant__ Parameters p) {
  const u32 index = blockIdx.x * 256 + threadIdx.x;
  if (index >= p.packs) return;
  u32 channel, column, row, rest;
  if (CHANNELS_LAST) {
    rest = p.channels.Split(index, &channel);
    rest = p.out_w.Split(rest, &column);
    rest = p.out_h.Split(rest, &row);
  } else {
    rest = p.out_w.Split(index, &column);
    rest = p.out_h.Split(rest, &row);
    channel = 0;
  }
  const T* image = x + (u64)rest * p.h * p.w * (CHANNELS_LAST ? p.channels.divisor * W : 1) + channel * W;
  const u64 step = CHANNELS_LAST ? p.channels.divisor * W : 1;
  const s32 top = (s32)row * p.stride_h - p.pad_h, left = (s32)column * p.stride_w - p.pad_w;
  C value[W];
  #pragma unroll
  for (int e = 0; e < W; ++e) value[e] = MAX ? (C)LOWEST : (C)0;
  s32 count = 0;
  for (s32 r = 0; r < p.rows; ++r) {
    const s32 i = top + r * p.dilation_h;
    for (s32 s = 0; s < p.columns; ++s) {
      const s32 j = left + s * p.dilation_w;
      if (INCLUDE_PAD) count += i < p.h + p.end_h && j < p.w + p.end_w;
      if (i < 0 || i >= p.h || j < 0 || j >= p.w) continue;
      if (!INCLUDE_PAD) ++count;
      const auto pack = LoadPack<W>(image + ((u64)i * p.w + j) * step);
      #pragma unroll
      for (int e = 0; e < W; ++e) {
        const C v = Widen(pack.at[e]);
        value[e] = MAX ? MaxOf()(value[e], v) : value[e] + v;
      }
    }
  }
  Pack<T, W> out;
  #pragma unroll
  for (int e = 0; e < W; ++e) out.at[e] = Narrow<T>(MAX ? value[e] : (C)(value[e] / (C)(count > 0 ? count : 1)));
  StorePack(y + (u64)index * W, out);
}
)cuda";

struct Parameters {
  uint32_t packs;
  Divisor channels, out_w, out_h;
  int32_t h, w, rows, columns, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w, end_h,
      end_w;
};

int32_t Small(int64_t value) { return static_cast<int32_t>(value); }

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakePool(Toolbox& toolbox, const PoolSpec& spec) {
  if (KernelTypeName(spec.type).empty()) {
    return absl::UnimplementedError(StrCat("pooling of ", ProtocolName(spec.type)));
  }
  const int64_t outputs = spec.n * spec.channels * spec.out_h * spec.out_w;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({outputs, spec.h * spec.w * spec.channels}));
  int64_t width = spec.channels_last ? static_cast<int64_t>(16 / ElementByteSize(spec.type)) : 1;
  while (spec.channels % width != 0) width /= 2;
  const bool floating = spec.type == DataType::kFp32 || spec.type == DataType::kFp16 ||
                        spec.type == DataType::kBf16 || spec.type == DataType::kFp64;
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineNumber("W", width), DefineNumber("MAX", spec.max),
             DefineNumber("CHANNELS_LAST", spec.channels_last),
             DefineNumber("INCLUDE_PAD", spec.count_include_pad), "#define LOWEST ",
             floating ? "(-kInfinity)" : "(-9223372036854775807ll - 1)", "\n", kText);
  const Parameters p = {static_cast<uint32_t>(outputs / width),
                        Divisor(spec.channels / width),
                        Divisor(spec.out_w),
                        Divisor(spec.out_h),
                        Small(spec.h),
                        Small(spec.w),
                        Small(spec.window[0]),
                        Small(spec.window[1]),
                        Small(spec.stride[0]),
                        Small(spec.stride[1]),
                        Small(spec.dilation[0]),
                        Small(spec.dilation[1]),
                        Small(spec.pad_begin[0]),
                        Small(spec.pad_begin[1]),
                        Small(spec.pad_end[0]),
                        Small(spec.pad_end[1])};
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "pool"));
  launch.grid_x = CeilDivide(outputs / width, 256);
  launch.arguments = {Input(0), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGlobalPool(Toolbox& toolbox,
                                                         const GlobalPoolSpec& spec) {
  ReduceSpec reduce;
  reduce.type = spec.type;
  reduce.reduction = spec.max ? Reduction::kMax : Reduction::kMean;
  reduce.shape = spec.channels_last ? Shape{spec.n, spec.pixels, spec.channels}
                                    : Shape{spec.n, spec.channels, spec.pixels};
  reduce.axes = {spec.channels_last ? 1 : 2};
  return MakeReduce(toolbox, reduce);
}

}  // namespace nereid::engine
