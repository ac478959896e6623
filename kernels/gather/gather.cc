#include "kernels/gather/gather.h"

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr size_t kMaxRank = 8;

constexpr char kGatherText[] = R"cuda(
struct Parameters { u32 packs; Divisor inner, count; u32 n; };
extern "C" __global__ void __launch_bounds__(256) gather(const T* x, const I* indices, T* y, const __grid_constant__ Parameters p) {
  for (u32 index = blockIdx.x * 256 + threadIdx.x; index < p.packs; index += gridDim.x * 256) {
    u32 at, j;
    const u32 line = p.inner.Split(index, &at);
    const u32 outer = p.count.Split(line, &j);
    s64 row = indices[j];
    if (row < 0) row += p.n;
    Pack<T, W> pack;
    #pragma unroll
    for (int e = 0; e < W; ++e) pack.at[e] = T();
    if (row >= 0 && row < p.n) pack = LoadPack<W>(x + (((s64)outer * p.n + row) * p.inner.divisor + at) * W);
    StorePack(y + (u64)index * W, pack);
  }
}
)cuda";

struct GatherParameters {
  uint32_t packs;
  Divisor inner, count;
  uint32_t n;
};

constexpr char kElementsText[] = R"cuda(
struct Parameters { u32 count; s32 rank; s32 axis; u32 n; Divisor out[8]; s64 stride[8]; };
extern "C" __global__ void __launch_bounds__(256) gather_elements(const T* x, const I* indices, T* y, const __grid_constant__ Parameters p) {
  for (u32 index = blockIdx.x * 256 + threadIdx.x; index < p.count; index += gridDim.x * 256) {
    s64 row = indices[index];
    if (row < 0) row += p.n;
    u32 rest = index;
    s64 from = 0;
    for (int d = p.rank - 1; d >= 0; --d) {
      u32 at;
      rest = p.out[d].Split(rest, &at);
      from += (d == p.axis ? row : (s64)at) * p.stride[d];
    }
    y[index] = row >= 0 && row < p.n ? x[from] : T();
  }
}
)cuda";

struct ElementsParameters {
  uint32_t count;
  int32_t rank;
  int32_t axis;
  uint32_t n;
  Divisor out[kMaxRank];
  int64_t stride[kMaxRank];
};

constexpr char kNdText[] = R"cuda(
struct Parameters { u32 count; s32 depth; Divisor slice, lines; s64 batch_stride; s64 extent[8]; s64 stride[8]; };
extern "C" __global__ void __launch_bounds__(256) gather_nd(const T* x, const s64* indices, T* y, const __grid_constant__ Parameters p) {
  for (u32 index = blockIdx.x * 256 + threadIdx.x; index < p.count; index += gridDim.x * 256) {
    u32 at, within;
    const u32 line = p.slice.Split(index, &at);
    const u32 batch = p.lines.Split(line, &within);
    s64 from = batch * p.batch_stride + at;
    bool inside = true;
    for (int d = 0; d < p.depth; ++d) {
      s64 i = indices[(s64)line * p.depth + d];
      if (i < 0) i += p.extent[d];
      inside = inside && i >= 0 && i < p.extent[d];
      from += i * p.stride[d];
    }
    y[index] = inside ? x[from] : T();
  }
}
)cuda";

struct NdParameters {
  uint32_t count;
  int32_t depth;
  Divisor slice, lines;
  int64_t batch_stride;
  int64_t extent[kMaxRank];
  int64_t stride[kMaxRank];
};

absl::Status CheckTypes(DataType type, DataType index_type) {
  if (KernelTypeName(type).empty() ||
      (index_type != DataType::kInt32 && index_type != DataType::kInt64)) {
    return absl::UnimplementedError(
        StrCat("gathering ", ProtocolName(type), " by ", ProtocolName(index_type)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGather(Toolbox& toolbox, const GatherSpec& spec) {
  NEREID_RETURN_IF_ERROR(CheckTypes(spec.type, spec.index_type));
  const int64_t elements = spec.outer * spec.count * spec.inner;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({elements, spec.n}));
  int64_t width = static_cast<int64_t>(16 / ElementByteSize(spec.type));
  while (spec.inner % width != 0) width /= 2;
  const std::string source = StrCat(DefineType("T", spec.type), DefineType("I", spec.index_type),
                                    DefineNumber("W", width), kGatherText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "gather"));
  launch.grid_x = GridFor(toolbox, elements / width);
  const GatherParameters p = {static_cast<uint32_t>(elements / width), Divisor(spec.inner / width),
                              Divisor(spec.count), static_cast<uint32_t>(spec.n)};
  launch.arguments = {Input(0), Input(1), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGatherElements(Toolbox& toolbox,
                                                             const GatherElementsSpec& spec) {
  NEREID_RETURN_IF_ERROR(CheckTypes(spec.type, spec.index_type));
  const size_t rank = spec.shape.size();
  if (rank > kMaxRank || spec.indices_shape.size() != rank) {
    return absl::UnimplementedError("GatherElements of more than eight axes");
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
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineType("I", spec.index_type), kElementsText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "gather_elements"));
  launch.grid_x = GridFor(toolbox, count);
  launch.arguments = {Input(0), Input(1), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGatherNd(Toolbox& toolbox, const GatherNdSpec& spec) {
  NEREID_RETURN_IF_ERROR(CheckTypes(spec.type, DataType::kInt64));
  const auto batch_dims = static_cast<size_t>(spec.batch_dims);
  const size_t indices_rank = spec.indices_shape.size();
  if (indices_rank == 0) return absl::InvalidArgumentError("GatherND by a scalar");
  const auto depth = static_cast<size_t>(spec.indices_shape.back());
  if (depth > kMaxRank || batch_dims + depth > spec.shape.size()) {
    return absl::InvalidArgumentError("GatherND names more axes than there are");
  }
  const int64_t slice = ExtentProduct(spec.shape, batch_dims + depth, spec.shape.size());
  const int64_t lines = ExtentProduct(spec.indices_shape, batch_dims, indices_rank - 1);
  const int64_t count = ExtentProduct(spec.indices_shape, 0, indices_rank - 1) * slice;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({count, ExtentProduct(spec.shape)}));
  NdParameters p{};
  p.count = static_cast<uint32_t>(count);
  p.depth = static_cast<int32_t>(depth);
  p.slice = Divisor(slice);
  p.lines = Divisor(lines);
  p.batch_stride = ExtentProduct(spec.shape, batch_dims, spec.shape.size());
  const std::vector<int64_t> strides = DenseStrides(spec.shape);
  for (size_t i = 0; i < depth; ++i) {
    p.extent[i] = spec.shape[batch_dims + i];
    p.stride[i] = strides[batch_dims + i];
  }
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(
      launch.function, toolbox.jit().Get(StrCat(DefineType("T", spec.type), kNdText), "gather_nd"));
  launch.grid_x = GridFor(toolbox, count);
  launch.arguments = {Input(0), Input(1), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
