#include "kernels/softmax/softmax.h"

#include <algorithm>
#include <bit>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr char kText[] = R"cuda(
typedef ComputeType<T> C;
DEVICE float Result(float x, float peak, float sum) { return LOG ? x - peak - logf(sum) : expf(x - peak) / sum; }

// A warp a row; a lane keeps its K elements.
extern "C" __global__ void __launch_bounds__(256) softmax_warp(const T* x, U* y, u32 rows, u32 n) {
  const u32 row = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  x += (u64)row * n;
  y += (u64)row * n;
  float value[K];
  float peak = -kInfinity;
  #pragma unroll
  for (int i = 0; i < K; ++i) {
    const u32 at = i * 32 + lane;
    value[i] = at < n ? Widen(x[at]) : -kInfinity;
    peak = fmaxf(peak, value[i]);
  }
  peak = WarpReduce(peak, MaxOf());
  float sum = 0;
  #pragma unroll
  for (int i = 0; i < K; ++i) sum += i * 32 + lane < n ? expf(value[i] - peak) : 0.0f;
  sum = WarpReduce(sum, AddOf());
  #pragma unroll
  for (int i = 0; i < K; ++i) {
    const u32 at = i * 32 + lane;
    if (at < n) y[at] = Narrow<U>(Result(value[i], peak, sum));
  }
}

// A block a row; a thread keeps its K elements.
extern "C" __global__ void __launch_bounds__(512) softmax_block(const T* x, U* y, u32 n) {
  x += (u64)blockIdx.x * n;
  y += (u64)blockIdx.x * n;
  float value[K];
  float peak = -kInfinity;
  #pragma unroll
  for (int i = 0; i < K; ++i) {
    const u32 at = i * 512 + threadIdx.x;
    value[i] = at < n ? Widen(x[at]) : -kInfinity;
    peak = fmaxf(peak, value[i]);
  }
  peak = BlockReduce(peak, MaxOf());
  float sum = 0;
  #pragma unroll
  for (int i = 0; i < K; ++i) sum += i * 512 + threadIdx.x < n ? expf(value[i] - peak) : 0.0f;
  sum = BlockReduce(sum, AddOf());
  #pragma unroll
  for (int i = 0; i < K; ++i) {
    const u32 at = i * 512 + threadIdx.x;
    if (at < n) y[at] = Narrow<U>(Result(value[i], peak, sum));
  }
}

// A block a row of any length, which is read three times, mostly from the cache.
extern "C" __global__ void __launch_bounds__(512) softmax_long(const T* x, U* y, u32 n) {
  x += (u64)blockIdx.x * n;
  y += (u64)blockIdx.x * n;
  float peak = -kInfinity;
  for (u32 i = threadIdx.x; i < n; i += 512) peak = fmaxf(peak, Widen(x[i]));
  peak = BlockReduce(peak, MaxOf());
  float sum = 0;
  for (u32 i = threadIdx.x; i < n; i += 512) sum += expf(Widen(x[i]) - peak);
  sum = BlockReduce(sum, AddOf());
  for (u32 i = threadIdx.x; i < n; i += 512) y[i] = Narrow<U>(Result(Widen(x[i]), peak, sum));
}

// A thread a column of [outer, n, inner].
extern "C" __global__ void __launch_bounds__(256) softmax_column(const T* x, U* y, u32 columns, u32 n, Divisor inner) {
  const u32 index = blockIdx.x * 256 + threadIdx.x;
  if (index >= columns) return;
  u32 at;
  const u64 base = (u64)inner.Split(index, &at) * n * inner.divisor;
  x += base + at;
  y += base + at;
  const u64 step = inner.divisor;
  float peak = -kInfinity;
  for (u32 i = 0; i < n; ++i) peak = fmaxf(peak, Widen(x[i * step]));
  float sum = 0;
  for (u32 i = 0; i < n; ++i) sum += expf(Widen(x[i * step]) - peak);
  for (u32 i = 0; i < n; ++i) y[i * step] = Narrow<U>(Result(Widen(x[i * step]), peak, sum));
}
)cuda";

constexpr int64_t kWarpLimit = 1024;
constexpr int64_t kBlockLimit = 16 * 512;

bool IsFloat(DataType type) {
  return type == DataType::kFp32 || type == DataType::kFp16 || type == DataType::kBf16;
}

// Elements that a thread keeps, of rows shared out among so many.
int64_t ElementsKept(int64_t n, int64_t threads) {
  return static_cast<int64_t>(
      std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(CeilDivide(n, threads), 1))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeSoftmax(Toolbox& toolbox, const SoftmaxSpec& spec) {
  const DataType out_type = spec.out_type == DataType::kInvalid ? spec.type : spec.out_type;
  if (!IsFloat(spec.type) || !IsFloat(out_type)) {
    return absl::UnimplementedError(StrCat("softmax of ", ProtocolName(spec.type)));
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.outer * spec.n * spec.inner}));
  const bool rows = spec.inner == 1, warp = rows && spec.n <= kWarpLimit;
  const bool block = rows && !warp && spec.n <= kBlockLimit;
  const int64_t kept = warp ? ElementsKept(spec.n, 32) : block ? ElementsKept(spec.n, 512) : 1;
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineType("U", out_type),
             DefineNumber("LOG", spec.log ? 1 : 0), DefineNumber("K", kept), kText);
  KernelLaunch launch;
  const char* const name = warp    ? "softmax_warp"
                           : block ? "softmax_block"
                           : rows  ? "softmax_long"
                                   : "softmax_column";
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, name));
  const auto n = static_cast<uint32_t>(spec.n);
  launch.arguments = {Input(0), Output(0)};
  if (warp) {
    launch.grid_x = CeilDivide(spec.outer, 8);
    launch.arguments.push_back(Value(static_cast<uint32_t>(spec.outer)));
    launch.arguments.push_back(Value(n));
  } else if (rows) {
    launch.grid_x = spec.outer;
    launch.block = 512;
    launch.arguments.push_back(Value(n));
  } else {
    const int64_t columns = spec.outer * spec.inner;
    launch.grid_x = CeilDivide(columns, 256);
    launch.arguments.push_back(Value(static_cast<uint32_t>(columns)));
    launch.arguments.push_back(Value(n));
    launch.arguments.push_back(Value(Divisor(spec.inner)));
  }
  if (spec.n == 0) launch.grid_x = 0;
  return KernelOp::Create(toolbox, std::move(launch), {.in_place = out_type == spec.type});
}

}  // namespace nereid::engine
