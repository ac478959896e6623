#include "kernels/trilu/trilu.h"

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr char kText[] = R"cuda(
extern "C" __global__ void __launch_bounds__(256) trilu(const T* x, T* y, u32 count, Divisor columns, Divisor rows, s64 k) {
  for (u32 i = blockIdx.x * 256 + threadIdx.x; i < count; i += gridDim.x * 256) {
    u32 column, row;
    rows.Split(columns.Split(i, &column), &row);
    const s64 diagonal = (s64)column - (s64)row;
    y[i] = (UPPER ? diagonal >= k : diagonal <= k) ? x[i] : T();
  }
}
)cuda";

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTrilu(Toolbox& toolbox, const TriluSpec& spec) {
  if (KernelTypeName(spec.type).empty()) {
    return absl::UnimplementedError(StrCat("Trilu of ", ProtocolName(spec.type)));
  }
  const int64_t count = spec.batch * spec.rows * spec.columns;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({count}));
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(
      launch.function,
      toolbox.jit().Get(
          StrCat(DefineType("T", spec.type), DefineNumber("UPPER", spec.upper), kText), "trilu"));
  launch.grid_x = GridFor(toolbox, count);
  launch.arguments = {Input(0),
                      Output(0),
                      Value(static_cast<uint32_t>(count)),
                      Value(Divisor(spec.columns)),
                      Value(Divisor(spec.rows)),
                      Value(spec.k)};
  return KernelOp::Create(toolbox, std::move(launch), {.in_place = true});
}

}  // namespace nereid::engine
