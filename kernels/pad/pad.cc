#include "kernels/pad/pad.h"

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr size_t kMaxRank = 8;

constexpr char kText[] = R"cuda(
struct Parameters { u32 count; s32 rank; Divisor out[8]; s32 begin[8]; s32 extent[8]; s64 stride[8]; double value; };
extern "C" __global__ void __launch_bounds__(256) pad(const T* x, const T* value, T* y, const __grid_constant__ Parameters p) {
  const T fill = value ? *value : Narrow<T>((ComputeType<T>)p.value);
  for (u32 index = blockIdx.x * 256 + threadIdx.x; index < p.count; index += gridDim.x * 256) {
    u32 rest = index;
    s64 from = 0;
    bool inside = true;
    for (int d = p.rank - 1; d >= 0; --d) {
      u32 at;
      rest = p.out[d].Split(rest, &at);
      s32 i = (s32)at - p.begin[d];
      const s32 n = p.extent[d];
      if (MODE == 0) inside = inside && i >= 0 && i < n;
      if (MODE == 1) i = min(max(i, 0), n - 1);
      if (MODE == 2 && n > 1) {
        const s32 period = 2 * (n - 1);
        i = ((i % period) + period) % period;
        i = i < n ? i : period - i;
      }
      if (MODE == 2 && n == 1) i = 0;
      if (MODE == 3) i = ((i % n) + n) % n;
      from += i * p.stride[d];
    }
    y[index] = inside ? x[from] : fill;
  }
}
)cuda";

struct Parameters {
  uint32_t count;
  int32_t rank;
  Divisor out[kMaxRank];
  int32_t begin[kMaxRank];
  int32_t extent[kMaxRank];
  int64_t stride[kMaxRank];
  double value;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakePad(Toolbox& toolbox, const PadSpec& spec) {
  const size_t rank = spec.shape.size();
  if (rank > kMaxRank || spec.begins.size() != rank || spec.ends.size() != rank) {
    return absl::UnimplementedError(
        "Pad of more than eight axes, or of other axes than the tensor's");
  }
  if (KernelTypeName(spec.type).empty()) {
    return absl::UnimplementedError(StrCat("Pad of ", ProtocolName(spec.type)));
  }
  Parameters p{};
  const std::vector<int64_t> strides = DenseStrides(spec.shape);
  int64_t count = 1;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t extent = spec.shape[i] + spec.begins[i] + spec.ends[i];
    if (extent < 0) return absl::InvalidArgumentError("Pad cuts more than there is");
    NEREID_RETURN_IF_ERROR(CheckIndexRange({extent, spec.shape[i]}));
    count *= extent;
    p.out[i] = Divisor(extent);
    p.begin[i] = static_cast<int32_t>(spec.begins[i]);
    p.extent[i] = static_cast<int32_t>(spec.shape[i]);
    p.stride[i] = strides[i];
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({count}));
  if (count > 0 && spec.mode != PadMode::kConstant && ExtentProduct(spec.shape) == 0) {
    return absl::InvalidArgumentError("Pad repeats the edge of an empty tensor");
  }
  p.count = static_cast<uint32_t>(count);
  p.rank = static_cast<int32_t>(rank);
  p.value = spec.value;
  const std::string source = StrCat(DefineType("T", spec.type),
                                    DefineNumber("MODE", static_cast<int64_t>(spec.mode)), kText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "pad"));
  launch.grid_x = GridFor(toolbox, count);
  launch.arguments = {Input(0), Input(1), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
