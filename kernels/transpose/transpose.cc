#include "kernels/transpose/transpose.h"

#include <algorithm>
#include <utility>

#include "backends/cuda/codegen/pointwise.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr size_t kMaxOuter = 6;
constexpr int64_t kTile = 32;

// Extent `a` is contiguous in x, `b` in y; a tile of 32×32 goes through shared memory.
constexpr char kTileText[] = R"cuda(
struct Parameters { u32 a, b; s64 x_b, y_a; Divisor tiles_a, tiles_b; s32 rank; Divisor outer[6]; s64 x_outer[6], y_outer[6]; };
extern "C" __global__ void __launch_bounds__(256) transpose_tile(const T* x, U* y, const __grid_constant__ Parameters p) {
  __shared__ T tile[32][sizeof(T) < 4 ? 34 : 33];
  u32 ta, tb;
  u32 rest = p.tiles_a.Split(blockIdx.x, &ta);
  rest = p.tiles_b.Split(rest, &tb);
  s64 from = 0, to = 0;
  for (int d = p.rank - 1; d >= 0; --d) {
    u32 at;
    rest = p.outer[d].Split(rest, &at);
    from += at * p.x_outer[d];
    to += at * p.y_outer[d];
  }
  const u32 lane = threadIdx.x % 32, line = threadIdx.x / 32;
  for (u32 i = line; i < 32; i += 8) {
    const u32 a = ta * 32 + lane, b = tb * 32 + i;
    if (a < p.a && b < p.b) tile[i][lane] = x[from + b * p.x_b + a];
  }
  __syncthreads();
  for (u32 i = line; i < 32; i += 8) {
    const u32 a = ta * 32 + i, b = tb * 32 + lane;
    if (a < p.a && b < p.b) y[to + a * p.y_a + b] = CONVERT(tile[lane][i]);
  }
}
)cuda";

struct TileParameters {
  uint32_t a, b;
  int64_t x_b, y_a;
  Divisor tiles_a, tiles_b;
  int32_t rank;
  Divisor outer[kMaxOuter];
  int64_t x_outer[kMaxOuter], y_outer[kMaxOuter];
};

// An extent of the result with its distance between neighbours on both sides.
struct Axis {
  int64_t extent, x, y;
};

std::vector<Axis> JoinedAxes(const TransposeSpec& spec) {
  const std::vector<int64_t> x_strides = DenseStrides(spec.shape);
  std::vector<Axis> axes;
  for (const int64_t from : spec.permutation) {
    const auto i = static_cast<size_t>(from);
    if (spec.shape[i] == 1) continue;
    if (!axes.empty() && axes.back().x == spec.shape[i] * x_strides[i]) {
      axes.back().extent *= spec.shape[i];
      axes.back().x = x_strides[i];
    } else {
      axes.push_back({spec.shape[i], x_strides[i], 0});
    }
  }
  int64_t step = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    axes[i].y = step;
    step *= axes[i].extent;
  }
  return axes;
}

absl::StatusOr<std::unique_ptr<DeviceOp>> RowCopy(Toolbox& toolbox, DataType type,
                                                  DataType out_type,
                                                  const std::vector<Axis>& axes) {
  PointwiseSpec copy;
  copy.inputs.push_back({type, {}});
  for (const Axis& axis : axes) {
    copy.shape.push_back(axis.extent);
    copy.inputs[0].strides.push_back(axis.x);
  }
  copy.outputs.push_back({out_type, {}});
  copy.results = {0};
  return MakePointwise(toolbox, copy);
}

constexpr int64_t kFewChannels = 16;

// A thread a pixel, which takes all of its few channels.
constexpr char kFewText[] = R"cuda(
struct Parameters { u32 count; Divisor pixels; u32 channels; float scale[16], bias[16]; };
extern "C" __global__ void __launch_bounds__(256) layout_few(const T* x, U* y, const __grid_constant__ Parameters p) {
  const u32 index = blockIdx.x * 256 + threadIdx.x;
  if (index >= p.count) return;
  u32 pixel;
  const u32 image = p.pixels.Split(index, &pixel);
  const u64 planes = (u64)image * p.channels * p.pixels.divisor + pixel, packed = (u64)index * OUT;
  #pragma unroll
  for (int c = 0; c < OUT; ++c) {
    const bool real = c < p.channels;
    const u64 plane = planes + (u64)c * p.pixels.divisor;
    if (TO_LAST) {
      U result = U();
      if (real) result = AFFINE ? CONVERT_AFFINE((float)Widen(x[plane]) * p.scale[c] + p.bias[c]) : CONVERT(x[plane]);
      y[packed + c] = result;
    } else if (real) {
      y[plane] = AFFINE ? CONVERT_AFFINE((float)Widen(x[packed + c]) * p.scale[c] + p.bias[c]) : CONVERT(x[packed + c]);
    }
  }
}
)cuda";

struct FewParameters {
  uint32_t count;
  Divisor pixels;
  uint32_t channels;
  float scale[kFewChannels], bias[kFewChannels];
};

std::string ConvertMacro(DataType from, DataType to) {
  if (from == to) return "#define CONVERT(v) (v)\n";
  return StrCat("#define CONVERT(v) Narrow<U>((ComputeType<U>)Widen(v))\n");
}

absl::StatusOr<std::unique_ptr<DeviceOp>> FewChannels(Toolbox& toolbox, const LayoutSpec& spec,
                                                      int64_t channels_out) {
  FewParameters p{};
  p.count = static_cast<uint32_t>(spec.n * spec.pixels);
  p.pixels = Divisor(spec.pixels);
  p.channels = static_cast<uint32_t>(spec.channels);
  const bool affine = !spec.scale.empty() || !spec.bias.empty();
  for (size_t c = 0; c < static_cast<size_t>(spec.channels); ++c) {
    p.scale[c] = c < spec.scale.size() ? spec.scale[c] : 1.0f;
    p.bias[c] = c < spec.bias.size() ? spec.bias[c] : 0.0f;
  }
  std::string text = kFewText;
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineType("U", spec.out_type),
             ConvertMacro(spec.type, spec.out_type),
             "#define CONVERT_AFFINE(v) Narrow<U>((ComputeType<U>)(v))\n",
             DefineNumber("OUT", channels_out), DefineNumber("TO_LAST", spec.to_channels_last),
             DefineNumber("AFFINE", affine), text);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "layout_few"));
  launch.grid_x = CeilDivide(spec.n * spec.pixels, 256);
  launch.arguments = {Input(0), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTranspose(Toolbox& toolbox,
                                                        const TransposeSpec& spec) {
  const DataType out_type = spec.out_type == DataType::kInvalid ? spec.type : spec.out_type;
  if (KernelTypeName(spec.type).empty() || KernelTypeName(out_type).empty()) {
    return absl::UnimplementedError(StrCat("Transpose of ", ProtocolName(spec.type)));
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({ExtentProduct(spec.shape)}));
  const std::vector<Axis> axes = JoinedAxes(spec);
  const auto contiguous =
      std::find_if(axes.begin(), axes.end(), [](const Axis& axis) { return axis.x == 1; });
  // Rows stay rows, or are too many dimensions apart for the tiles.
  if (axes.size() < 2 || contiguous + 1 == axes.end() || axes.size() > kMaxOuter + 2) {
    return RowCopy(toolbox, spec.type, out_type, axes);
  }
  TileParameters p{};
  const Axis& a = *contiguous;
  const Axis& b = axes.back();
  p.a = static_cast<uint32_t>(a.extent);
  p.b = static_cast<uint32_t>(b.extent);
  p.x_b = b.x;
  p.y_a = a.y;
  p.tiles_a = Divisor(CeilDivide(a.extent, kTile));
  p.tiles_b = Divisor(CeilDivide(b.extent, kTile));
  int64_t blocks = CeilDivide(a.extent, kTile) * CeilDivide(b.extent, kTile);
  for (const Axis& axis : axes) {
    if (&axis == &a || &axis == &b) continue;
    const auto d = static_cast<size_t>(p.rank++);
    p.outer[d] = Divisor(axis.extent);
    p.x_outer[d] = axis.x;
    p.y_outer[d] = axis.y;
    blocks *= axis.extent;
  }
  const std::string source = StrCat(DefineType("T", spec.type), DefineType("U", out_type),
                                    ConvertMacro(spec.type, out_type), kTileText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "transpose_tile"));
  launch.grid_x = blocks;
  launch.arguments = {Input(0), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeLayoutCopy(Toolbox& toolbox, const LayoutSpec& spec) {
  const int64_t channels_out = spec.channels_out == 0 ? spec.channels : spec.channels_out;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.n * spec.pixels * channels_out}));
  if (channels_out < spec.channels) {
    return absl::InvalidArgumentError("fewer channels after the copy than before");
  }
  if (KernelTypeName(spec.type).empty() || KernelTypeName(spec.out_type).empty()) {
    return absl::UnimplementedError(StrCat("layout of ", ProtocolName(spec.type)));
  }
  if (channels_out <= kFewChannels) return FewChannels(toolbox, spec, channels_out);
  if (channels_out != spec.channels || !spec.scale.empty() || !spec.bias.empty()) {
    return absl::UnimplementedError("a layout copy of many channels that also changes them");
  }
  TransposeSpec transpose;
  transpose.type = spec.type;
  transpose.out_type = spec.out_type;
  transpose.shape = spec.to_channels_last ? Shape{spec.n, spec.channels, spec.pixels}
                                          : Shape{spec.n, spec.pixels, spec.channels};
  transpose.permutation = {0, 2, 1};
  return MakeTranspose(toolbox, transpose);
}

}  // namespace nereid::engine
