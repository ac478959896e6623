#include "kernels/range/range.h"

#include "backends/cuda/codegen/pointwise.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr char kText[] = R"cuda(
typedef ComputeType<T> C;
extern "C" __global__ void __launch_bounds__(256) range(const T* start, const T* delta, T* y, u32 count) {
  const C first = Widen(*start), step = Widen(*delta);
  for (u32 i = blockIdx.x * 256 + threadIdx.x; i < count; i += gridDim.x * 256) y[i] = Narrow<T>((C)(first + (C)i * step));
}
)cuda";

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRange(Toolbox& toolbox, const RangeSpec& spec) {
  if (KernelTypeName(spec.type).empty()) {
    return absl::UnimplementedError(StrCat("Range of ", ProtocolName(spec.type)));
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.count}));
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function,
                          toolbox.jit().Get(StrCat(DefineType("T", spec.type), kText), "range"));
  launch.grid_x = GridFor(toolbox, spec.count);
  launch.arguments = {Input(0), Input(1), Output(0), Value(static_cast<uint32_t>(spec.count))};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFill(Toolbox& toolbox, DataType type, int64_t count,
                                                   double value) {
  PointwiseSpec spec;
  spec.shape = {count};
  spec.steps = {{"Constant", {}, {value}, type}};
  spec.outputs = {{type, {}}};
  spec.results = {0};
  return MakePointwise(toolbox, spec);
}

}  // namespace nereid::engine
