#include "kernels/scatter/scatter.h"

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/copy/copy.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr size_t kMaxRank = 8;

// Combining goes through compare-and-swap of the word around the element, for every type alike.
constexpr char kText[] = R"cuda(
typedef ComputeType<T> C;
DEVICE C Combined(C a, C b) {
  return REDUCTION == 1 ? a + b : REDUCTION == 2 ? a * b : REDUCTION == 3 ? MaxOf()(a, b) : MinOf()(a, b);
}
DEVICE void Put(T* to, T update) {
  if (REDUCTION == 0) { *to = update; return; }
  if (sizeof(T) == 8) {
    u64* word = reinterpret_cast<u64*>(to);
    union { u64 raw; T value[8 / sizeof(T)]; } seen, next;
    seen.raw = *word;
    while (true) {
      next.raw = seen.raw;
      next.value[0] = Narrow<T>(Combined(Widen(seen.value[0]), Widen(update)));
      const u64 before = atomicCAS(word, seen.raw, next.raw);
      if (before == seen.raw) return;
      seen.raw = before;
    }
  }
  u32* word = reinterpret_cast<u32*>(reinterpret_cast<u64>(to) & ~3ull);
  const u32 slot = (reinterpret_cast<u64>(to) & 3) / sizeof(T);
  union Word { u32 raw; T value[sizeof(T) > 4 ? 1 : 4 / sizeof(T)]; DEVICE Word() {} } seen, next;
  seen.raw = *word;
  while (true) {
    next.raw = seen.raw;
    next.value[slot] = Narrow<T>(Combined(Widen(seen.value[slot]), Widen(update)));
    const u32 before = atomicCAS(word, seen.raw, next.raw);
    if (before == seen.raw) return;
    seen.raw = before;
  }
}
struct NdParameters { u32 count; s32 depth; Divisor slice; s64 extent[8]; s64 stride[8]; };
extern "C" __global__ void __launch_bounds__(256) scatter_nd(const s64* indices, const T* updates, T* y, const __grid_constant__ NdParameters p) {
  for (u32 index = blockIdx.x * 256 + threadIdx.x; index < p.count; index += gridDim.x * 256) {
    u32 at;
    const u32 line = p.slice.Split(index, &at);
    s64 to = at;
    bool inside = true;
    for (int d = 0; d < p.depth; ++d) {
      s64 i = indices[(s64)line * p.depth + d];
      if (i < 0) i += p.extent[d];
      inside = inside && i >= 0 && i < p.extent[d];
      to += i * p.stride[d];
    }
    if (inside) Put(y + to, updates[index]);
  }
}
struct ElementsParameters { u32 count; s32 rank; s32 axis; u32 n; Divisor out[8]; s64 stride[8]; };
extern "C" __global__ void __launch_bounds__(256) scatter_elements(const I* indices, const T* updates, T* y, const __grid_constant__ ElementsParameters p) {
  for (u32 index = blockIdx.x * 256 + threadIdx.x; index < p.count; index += gridDim.x * 256) {
    s64 row = indices[index];
    if (row < 0) row += p.n;
    u32 rest = index;
    s64 to = 0;
    for (int d = p.rank - 1; d >= 0; --d) {
      u32 at;
      rest = p.out[d].Split(rest, &at);
      to += (d == p.axis ? row : (s64)at) * p.stride[d];
    }
    if (row >= 0 && row < p.n) Put(y + to, updates[index]);
  }
}
)cuda";

struct NdParameters {
  uint32_t count;
  int32_t depth;
  Divisor slice;
  int64_t extent[kMaxRank];
  int64_t stride[kMaxRank];
};

struct ElementsParameters {
  uint32_t count;
  int32_t rank;
  int32_t axis;
  uint32_t n;
  Divisor out[kMaxRank];
  int64_t stride[kMaxRank];
};

// Copies x to y unless they are the same, then scatters.
class ScatterOp final : public DeviceOp {
 public:
  ScatterOp(std::unique_ptr<DeviceOp> copy, std::unique_ptr<DeviceOp> scatter)
      : copy_(std::move(copy)), scatter_(std::move(scatter)) {}
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override {
    NEREID_RETURN_IF_ERROR(copy_->Launch(inputs, outputs, workspace, stream));
    return scatter_->Launch(inputs, outputs, workspace, stream);
  }
  bool in_place() const override { return true; }
  int kernel_count() const override { return 2; }

 private:
  const std::unique_ptr<DeviceOp> copy_, scatter_;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> WithCopy(Toolbox& toolbox, DataType type,
                                                   const Shape& shape, KernelLaunch launch) {
  NEREID_ASSIGN_OR_RETURN(
      auto copy,
      MakeCopyBytes(toolbox, static_cast<size_t>(ExtentProduct(shape)) * ElementByteSize(type)));
  NEREID_ASSIGN_OR_RETURN(auto scatter, KernelOp::Create(toolbox, std::move(launch), {}));
  return std::make_unique<ScatterOp>(std::move(copy), std::move(scatter));
}

std::string Source(DataType type, DataType index_type, ScatterReduction reduction) {
  return StrCat(DefineType("T", type), DefineType("I", index_type),
                DefineNumber("REDUCTION", static_cast<int64_t>(reduction)), kText);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeScatterNd(Toolbox& toolbox,
                                                        const ScatterNdSpec& spec) {
  if (KernelTypeName(spec.type).empty() || spec.indices_shape.empty()) {
    return absl::UnimplementedError(StrCat("ScatterND of ", ProtocolName(spec.type)));
  }
  const auto depth = static_cast<size_t>(spec.indices_shape.back());
  if (depth > kMaxRank || depth > spec.shape.size()) {
    return absl::InvalidArgumentError("ScatterND names more axes than there are");
  }
  const int64_t slice = ExtentProduct(spec.shape, depth, spec.shape.size());
  const int64_t count = ExtentProduct(spec.indices_shape, 0, spec.indices_shape.size() - 1) * slice;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({count, ExtentProduct(spec.shape)}));
  NdParameters p{};
  p.count = static_cast<uint32_t>(count);
  p.depth = static_cast<int32_t>(depth);
  p.slice = Divisor(slice);
  const std::vector<int64_t> strides = DenseStrides(spec.shape);
  for (size_t i = 0; i < depth; ++i) {
    p.extent[i] = spec.shape[i];
    p.stride[i] = strides[i];
  }
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(
      launch.function,
      toolbox.jit().Get(Source(spec.type, DataType::kInt64, spec.reduction), "scatter_nd"));
  launch.grid_x = GridFor(toolbox, count);
  launch.arguments = {Input(1), Input(2), Output(0), Value(p)};
  return WithCopy(toolbox, spec.type, spec.shape, std::move(launch));
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeScatterElements(Toolbox& toolbox,
                                                              const ScatterElementsSpec& spec) {
  const size_t rank = spec.shape.size();
  if (KernelTypeName(spec.type).empty() || rank > kMaxRank || spec.indices_shape.size() != rank) {
    return absl::UnimplementedError(StrCat("ScatterElements of ", ProtocolName(spec.type)));
  }
  const int64_t count = ExtentProduct(spec.indices_shape);
  NEREID_RETURN_IF_ERROR(CheckIndexRange({count, ExtentProduct(spec.shape)}));
  ElementsParameters p{};
  p.count = static_cast<uint32_t>(count);
  p.rank = static_cast<int32_t>(rank);
  p.axis = static_cast<int32_t>(spec.axis);
  p.n = static_cast<uint32_t>(spec.shape[static_cast<size_t>(spec.axis)]);
  const std::vector<int64_t> strides = DenseStrides(spec.shape);
  for (size_t i = 0; i < rank; ++i) {
    p.out[i] = Divisor(spec.indices_shape[i]);
    p.stride[i] = strides[i];
  }
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(
      launch.function,
      toolbox.jit().Get(Source(spec.type, spec.index_type, spec.reduction), "scatter_elements"));
  launch.grid_x = GridFor(toolbox, count);
  launch.arguments = {Input(1), Input(2), Output(0), Value(p)};
  return WithCopy(toolbox, spec.type, spec.shape, std::move(launch));
}

}  // namespace nereid::engine
