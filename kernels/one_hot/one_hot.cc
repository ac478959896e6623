#include "kernels/one_hot/one_hot.h"

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr char kText[] = R"cuda(
extern "C" __global__ void __launch_bounds__(256) one_hot(const I* indices, const T* values, T* y, u32 count, Divisor inner, Divisor depth) {
  const T off = values[0], on = values[1];
  for (u32 i = blockIdx.x * 256 + threadIdx.x; i < count; i += gridDim.x * 256) {
    u32 at, place;
    const u32 line = inner.Split(i, &at);
    const u32 outer = depth.Split(line, &place);
    s64 index = (s64)Widen(indices[(u64)outer * inner.divisor + at]);
    if (index < 0) index += depth.divisor;
    y[i] = index == place ? on : off;
  }
}
)cuda";

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeOneHot(Toolbox& toolbox, const OneHotSpec& spec) {
  if (KernelTypeName(spec.type).empty() || KernelTypeName(spec.index_type).empty()) {
    return absl::UnimplementedError(StrCat("OneHot of ", ProtocolName(spec.type)));
  }
  const int64_t count = spec.outer * spec.depth * spec.inner;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({count}));
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineType("I", spec.index_type), kText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "one_hot"));
  launch.grid_x = GridFor(toolbox, count);
  launch.arguments = {Input(0),
                      Input(1),
                      Output(0),
                      Value(static_cast<uint32_t>(count)),
                      Value(Divisor(spec.inner)),
                      Value(Divisor(spec.depth))};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
