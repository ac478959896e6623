#include "kernels/cumsum/cumsum.h"

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr char kText[] = R"cuda(
typedef ComputeType<T> C;
// A warp a row, 32 elements at a time.
extern "C" __global__ void __launch_bounds__(256) cumsum_row(const T* x, T* y, u32 rows, u32 n) {
  const u32 row = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  x += (u64)row * n;
  y += (u64)row * n;
  C carried = 0;
  for (u32 begin = 0; begin < n; begin += 32) {
    const u32 i = begin + lane, at = REVERSE ? n - 1 - i : i;
    const C own = i < n ? (C)Widen(x[at]) : (C)0;
    C sum = own;
    #pragma unroll
    for (int step = 1; step < 32; step <<= 1) {
      const C other = __shfl_up_sync(0xffffffffu, sum, step);
      if (lane >= step) sum += other;
    }
    if (i < n) y[at] = Narrow<T>((C)(carried + (EXCLUSIVE ? sum - own : sum)));
    carried += __shfl_sync(0xffffffffu, sum, 31);
  }
}
extern "C" __global__ void __launch_bounds__(256) cumsum_column(const T* x, T* y, u32 columns, u32 n, Divisor inner) {
  const u32 index = blockIdx.x * 256 + threadIdx.x;
  if (index >= columns) return;
  u32 at;
  const u64 base = (u64)inner.Split(index, &at) * n * inner.divisor + at;
  C sum = 0;
  for (u32 i = 0; i < n; ++i) {
    const u64 place = base + (u64)(REVERSE ? n - 1 - i : i) * inner.divisor;
    const C own = Widen(x[place]);
    y[place] = Narrow<T>((C)(EXCLUSIVE ? sum : sum + own));
    sum += own;
  }
}
)cuda";

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeCumSum(Toolbox& toolbox, const CumSumSpec& spec) {
  if (KernelTypeName(spec.type).empty() || spec.type == DataType::kBool) {
    return absl::UnimplementedError(StrCat("CumSum of ", ProtocolName(spec.type)));
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.outer * spec.n * spec.inner}));
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineNumber("REVERSE", spec.reverse),
             DefineNumber("EXCLUSIVE", spec.exclusive), kText);
  const bool rows = spec.inner == 1;
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function,
                          toolbox.jit().Get(source, rows ? "cumsum_row" : "cumsum_column"));
  const int64_t lines = spec.outer * spec.inner;
  launch.grid_x = CeilDivide(lines, rows ? 8 : 256);
  launch.arguments = {Input(0), Output(0), Value(static_cast<uint32_t>(lines)),
                      Value(static_cast<uint32_t>(spec.n))};
  if (!rows) launch.arguments.push_back(Value(Divisor(spec.inner)));
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
