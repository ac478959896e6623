#include "kernels/topk/topk.h"

#include <algorithm>
#include <bit>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// A block a line: bitonic sort of (value, index) in shared memory, rounded up to a power of two.
constexpr char kText[] = R"cuda(
typedef ComputeType<T> C;
extern __shared__ u64 shared[];
// Whether a goes before b. An index of ~0 goes last; a NaN counts as the greatest.
DEVICE bool Before(C a, u32 ia, C b, u32 ib) {
  if (ia == ~0u || ib == ~0u) return ib == ~0u && ia != ~0u;
  const bool a_nan = a != a, b_nan = b != b;
  if (a_nan != b_nan) return LARGEST ? a_nan : b_nan;
  if (!a_nan && a != b) return LARGEST ? a > b : a < b;
  return ia < ib;
}
extern "C" __global__ void __launch_bounds__(512) topk(const T* x, T* values, s64* indices, u32 n, u32 padded, u32 k, Divisor inner) {
  C* key = reinterpret_cast<C*>(shared);
  u32* index = reinterpret_cast<u32*>(key + padded);
  u32 at;
  const u32 outer = inner.Split(blockIdx.x, &at);
  x += (u64)outer * n * inner.divisor + at;
  for (u32 i = threadIdx.x; i < padded; i += blockDim.x) {
    key[i] = i < n ? (C)Widen(x[(u64)i * inner.divisor]) : (C)0;
    index[i] = i < n ? i : ~0u;
  }
  for (u32 size = 2; size <= padded; size <<= 1) {
    for (u32 step = size >> 1; step > 0; step >>= 1) {
      __syncthreads();
      for (u32 t = threadIdx.x; t < padded / 2; t += blockDim.x) {
        const u32 i = 2 * t - (t & (step - 1)), j = i + step;
        const bool ascending = (i & size) == 0;
        if (Before(key[j], index[j], key[i], index[i]) == ascending) {
          const C kept = key[i]; key[i] = key[j]; key[j] = kept;
          const u32 kept_index = index[i]; index[i] = index[j]; index[j] = kept_index;
        }
      }
    }
  }
  __syncthreads();
  for (u32 i = threadIdx.x; i < k; i += blockDim.x) {
    const u64 to = ((u64)outer * k + i) * inner.divisor + at;
    if (values) values[to] = Narrow<T>(key[i]);
    if (indices) indices[to] = index[i];
  }
}
)cuda";

constexpr int64_t kMaxExtent = 16384;

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTopK(Toolbox& toolbox, const TopKSpec& spec) {
  if (KernelTypeName(spec.type).empty() || spec.n > kMaxExtent) {
    return absl::UnimplementedError(StrCat("TopK of ", spec.n, " ", ProtocolName(spec.type)));
  }
  if (spec.k > spec.n) return absl::InvalidArgumentError(StrCat("TopK: ", spec.k, " of ", spec.n));
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.outer * spec.n * spec.inner}));
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineNumber("LARGEST", spec.largest), kText);
  const bool narrow =
      spec.type == DataType::kFp32 || spec.type == DataType::kFp16 || spec.type == DataType::kBf16;
  const auto padded = std::max<uint64_t>(std::bit_ceil(static_cast<uint64_t>(spec.n)), 2);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "topk"));
  launch.grid_x = spec.k == 0 ? 0 : spec.outer * spec.inner;
  launch.block = static_cast<int>(std::clamp<uint64_t>(padded / 2, 32, 512));
  launch.shared_bytes = padded * (narrow ? 8 : 12);
  launch.arguments = {Input(0),
                      Output(0),
                      Output(1),
                      Value(static_cast<uint32_t>(spec.n)),
                      Value(static_cast<uint32_t>(padded)),
                      Value(static_cast<uint32_t>(spec.k)),
                      Value(Divisor(spec.inner))};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
