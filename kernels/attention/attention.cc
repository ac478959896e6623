#include "kernels/attention/attention.h"

#include <algorithm>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr int64_t kMaxDim = 128;

constexpr char kCommonText[] = R"cuda(
struct Strides { s64 batch, head, row; };
struct Parameters {
  s32 heads, shared, queries, keys;  // `shared` query heads use one key head
  float scale;
  Strides q, k, v, y;
  s64 mask[4];
};
// The addend of score (row, column), or −∞ where the key must not be seen.
DEVICE float Addend(const M* mask, const Parameters& p, s64 mask_base, s32 row, s32 column) {
  if (column >= p.keys || (CAUSAL && column > row + p.keys - p.queries)) return -kInfinity;
  if (!MASK || row >= p.queries) return 0.0f;
  const auto m = Widen(mask[mask_base + row * p.mask[2] + column * p.mask[3]]);
  return MASK_BOOL ? (m != 0 ? 0.0f : -kInfinity) : (float)m;
}
)cuda";

// Tensor cores: 4 warps of 16 queries; keys and values go through shared memory 64 at a time;
// scores and the result stay in registers. Lane layout of mma.m16n8k16: g = lane / 4 is a row (and
// g + 8), t = lane % 4 a pair of columns.
constexpr char kTensorText[] = R"cuda(
#define ROW_K (D + 8)
#define ROW_V (E + 8)
DEVICE void Mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." MMA_TYPE "." MMA_TYPE ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
DEVICE u32 PairOf(float low, float high) { return (u32)Narrow<T>(low).bits | (u32)Narrow<T>(high).bits << 16; }
DEVICE u32 PairAt(const u16* from) { return *reinterpret_cast<const u32*>(from); }
// Rows [first, first + 64) of a matrix, `dim` wide, to shared memory, zeros around.
template <int kDim, int kRow> DEVICE void LoadTile(u16* tile, const u16* from, s64 row_stride, s32 first, s32 rows, s32 dim) {
  if (VECTOR) {
    for (int i = threadIdx.x; i < 64 * kDim / 8; i += 128) {
      const int row = i / (kDim / 8), column = i % (kDim / 8) * 8;
      uint4 value = make_uint4(0, 0, 0, 0);
      if (first + row < rows && column < dim) value = *reinterpret_cast<const uint4*>(from + (first + row) * row_stride + column);
      *reinterpret_cast<uint4*>(tile + row * kRow + column) = value;
    }
  } else {
    for (int i = threadIdx.x; i < 64 * kDim; i += 128) {
      const int row = i / kDim, column = i % kDim;
      tile[row * kRow + column] = first + row < rows && column < dim ? from[(first + row) * row_stride + column] : 0;
    }
  }
}
extern __shared__ __align__(16) u16 tiles[];
extern "C" __global__ void __launch_bounds__(128) attention(const u16* q, const u16* k, const u16* v, const M* mask, u16* y, const __grid_constant__ Parameters p) {
  u16* k_tile = tiles;
  u16* v_tile = tiles + 64 * ROW_K;
  const s32 batch = blockIdx.z, head = blockIdx.y, first_query = blockIdx.x * 64;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  q += batch * p.q.batch + head * p.q.head;
  k += batch * p.k.batch + head / p.shared * p.k.head;
  v += batch * p.v.batch + head / p.shared * p.v.head;
  y += batch * p.y.batch + head * p.y.head;
  const s64 mask_base = batch * p.mask[0] + head * p.mask[1];

  LoadTile<D, ROW_K>(k_tile, q, p.q.row, first_query, p.queries, REAL_D);
  __syncthreads();
  u32 qf[D / 16][4];
  #pragma unroll
  for (int i = 0; i < D / 16; ++i) {
    const u16* at = k_tile + (warp * 16 + g) * ROW_K + i * 16 + 2 * t;
    qf[i][0] = PairAt(at);
    qf[i][1] = PairAt(at + 8 * ROW_K);
    qf[i][2] = PairAt(at + 8);
    qf[i][3] = PairAt(at + 8 * ROW_K + 8);
  }
  __syncthreads();

  float out[E / 8][4] = {};
  float peak[2] = {-kInfinity, -kInfinity}, sum[2] = {0, 0};
  const s32 row = first_query + warp * 16 + g;
  s32 end = p.keys;
  if (CAUSAL) end = min(end, first_query + 64 + p.keys - p.queries);
  for (s32 first = 0; first < end; first += 64) {
    LoadTile<D, ROW_K>(k_tile, k, p.k.row, first, p.keys, REAL_D);
    LoadTile<E, ROW_V>(v_tile, v, p.v.row, first, p.keys, REAL_E);
    __syncthreads();
    float score[8][4] = {};
    #pragma unroll
    for (int n = 0; n < 8; ++n) {
      #pragma unroll
      for (int i = 0; i < D / 16; ++i) {
        const u16* at = k_tile + (n * 8 + g) * ROW_K + i * 16 + 2 * t;
        Mma(score[n], qf[i], PairAt(at), PairAt(at + 8));
      }
    }
    float high[2] = {peak[0], peak[1]};
    #pragma unroll
    for (int n = 0; n < 8; ++n) {
      #pragma unroll
      for (int e = 0; e < 4; ++e) {
        const s32 column = first + n * 8 + 2 * t + e % 2;
        score[n][e] = score[n][e] * p.scale + Addend(mask, p, mask_base, row + e / 2 * 8, column);
        high[e / 2] = fmaxf(high[e / 2], score[n][e]);
      }
    }
    #pragma unroll
    for (int r = 0; r < 2; ++r) {
      high[r] = fmaxf(high[r], __shfl_xor_sync(0xffffffffu, high[r], 1));
      high[r] = fmaxf(high[r], __shfl_xor_sync(0xffffffffu, high[r], 2));
      // A row that has seen no key yet keeps −∞: its factor and its weights are zero, not NaN.
      const float base = high[r] == -kInfinity ? 0.0f : high[r];
      const float factor = __expf(peak[r] - base);
      peak[r] = high[r];
      sum[r] *= factor;
      #pragma unroll
      for (int n = 0; n < E / 8; ++n) {
        out[n][2 * r] *= factor;
        out[n][2 * r + 1] *= factor;
      }
      #pragma unroll
      for (int n = 0; n < 8; ++n) {
        #pragma unroll
        for (int e = 0; e < 2; ++e) {
          score[n][2 * r + e] = __expf(score[n][2 * r + e] - base);
          sum[r] += score[n][2 * r + e];
        }
      }
    }
    #pragma unroll
    for (int i = 0; i < 4; ++i) {  // 16 keys at a time
      const u32 weights[4] = {PairOf(score[2 * i][0], score[2 * i][1]), PairOf(score[2 * i][2], score[2 * i][3]),
                              PairOf(score[2 * i + 1][0], score[2 * i + 1][1]), PairOf(score[2 * i + 1][2], score[2 * i + 1][3])};
      #pragma unroll
      for (int n = 0; n < E / 8; ++n) {
        const u32 address = (u32)__cvta_generic_to_shared(v_tile + (i * 16 + lane % 16) * ROW_V + n * 8);
        u32 b0, b1;
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(b0), "=r"(b1) : "r"(address));
        Mma(out[n], weights, b0, b1);
      }
    }
    __syncthreads();
  }
  #pragma unroll
  for (int r = 0; r < 2; ++r) {
    sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], 1);
    sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], 2);
    const float inverse = sum[r] > 0 ? 1.0f / sum[r] : 0.0f;
    if (row + r * 8 >= p.queries) continue;
    #pragma unroll
    for (int n = 0; n < E / 8; ++n) {
      #pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int column = n * 8 + 2 * t + e;
        if (column < REAL_E) y[(row + r * 8) * p.y.row + column] = Narrow<T>(out[n][2 * r + e] * inverse).bits;
      }
    }
  }
}
)cuda";

// fp32: a warp a query; a lane scores one key of 32, then the lanes share out the columns of v.
constexpr char kPlainText[] = R"cuda(
extern __shared__ float query_rows[];
extern "C" __global__ void __launch_bounds__(128) attention(const T* q, const T* k, const T* v, const M* mask, T* y, const __grid_constant__ Parameters p) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const s32 batch = blockIdx.z, head = blockIdx.y, row = blockIdx.x * 4 + warp;
  if (row >= p.queries) return;
  float* query = query_rows + warp * REAL_D;
  q += batch * p.q.batch + head * p.q.head + row * p.q.row;
  k += batch * p.k.batch + head / p.shared * p.k.head;
  v += batch * p.v.batch + head / p.shared * p.v.head;
  y += batch * p.y.batch + head * p.y.head + row * p.y.row;
  const s64 mask_base = batch * p.mask[0] + head * p.mask[1];
  for (int i = lane; i < REAL_D; i += 32) query[i] = Widen(q[i]);
  __syncwarp();
  float out[E / 32] = {};
  float peak = -kInfinity, sum = 0;
  for (s32 first = 0; first < p.keys; first += 32) {
    const s32 key = first + lane;
    float score = Addend(mask, p, mask_base, row, key);
    if (key < p.keys) {
      float dot = 0;
      for (int i = 0; i < REAL_D; ++i) dot += query[i] * Widen(k[key * p.k.row + i]);
      score += dot * p.scale;
    }
    const float high = fmaxf(peak, WarpReduce(score, MaxOf()));
    const float base = high == -kInfinity ? 0.0f : high;
    const float factor = expf(peak - base), weight = expf(score - base);
    peak = high;
    sum = sum * factor + WarpReduce(weight, AddOf());
    #pragma unroll
    for (int n = 0; n < E / 32; ++n) out[n] *= factor;
    const int count = min(32, p.keys - first);
    for (int j = 0; j < count; ++j) {
      const float w = __shfl_sync(0xffffffffu, weight, j);
      #pragma unroll
      for (int n = 0; n < E / 32; ++n) {
        const int column = n * 32 + lane;
        if (column < REAL_E) out[n] += w * Widen(v[(first + j) * p.v.row + column]);
      }
    }
  }
  #pragma unroll
  for (int n = 0; n < E / 32; ++n) {
    const int column = n * 32 + lane;
    if (column < REAL_E) y[column] = Narrow<T>(sum > 0 ? out[n] / sum : 0.0f);
  }
}
)cuda";

struct Parameters {
  int32_t heads, shared, queries, keys;
  float scale;
  AttentionStrides q, k, v, y;
  int64_t mask[4];
};

AttentionStrides Completed(const AttentionStrides& strides, int64_t heads, int64_t rows,
                           int64_t dim) {
  if (strides.batch != 0 || strides.head != 0 || strides.row != 0) return strides;
  return {heads * rows * dim, rows * dim, dim};
}

// Whether rows can be read 16 bytes at a time.
bool Aligned(const AttentionStrides& strides) {
  return strides.batch % 8 == 0 && strides.head % 8 == 0 && strides.row % 8 == 0;
}

absl::Status Check(const AttentionSpec& spec, int64_t value_dim, int64_t kv_heads) {
  if (spec.type != DataType::kFp16 && spec.type != DataType::kBf16 &&
      spec.type != DataType::kFp32) {
    return absl::UnimplementedError(StrCat("attention in ", ProtocolName(spec.type)));
  }
  if (spec.head_dim < 1 || spec.head_dim > kMaxDim || value_dim < 1 || value_dim > kMaxDim) {
    return absl::UnimplementedError(StrCat("attention over ", spec.head_dim, " columns a head"));
  }
  if (kv_heads < 1 || spec.heads % kv_heads != 0) {
    return absl::InvalidArgumentError(StrCat(spec.heads, " heads share ", kv_heads));
  }
  return CheckIndexRange({spec.batch * spec.heads, spec.queries, spec.keys});
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeAttention(Toolbox& toolbox,
                                                        const AttentionSpec& spec) {
  const int64_t kv_heads = spec.kv_heads == 0 ? spec.heads : spec.kv_heads;
  const int64_t value_dim = spec.value_dim == 0 ? spec.head_dim : spec.value_dim;
  NEREID_RETURN_IF_ERROR(Check(spec, value_dim, kv_heads));
  Parameters p{};
  p.heads = static_cast<int32_t>(spec.heads);
  p.shared = static_cast<int32_t>(spec.heads / kv_heads);
  p.queries = static_cast<int32_t>(spec.queries);
  p.keys = static_cast<int32_t>(spec.keys);
  p.scale = spec.scale;
  p.q = Completed(spec.q, spec.heads, spec.queries, spec.head_dim);
  p.k = Completed(spec.k, kv_heads, spec.keys, spec.head_dim);
  p.v = Completed(spec.v, kv_heads, spec.keys, value_dim);
  p.y = Completed(spec.y, spec.heads, spec.queries, value_dim);
  std::copy(spec.mask_strides.begin(), spec.mask_strides.end(), p.mask);

  const bool plain = spec.type == DataType::kFp32;
  const DataType mask_type = spec.mask_type == DataType::kInvalid ? spec.type : spec.mask_type;
  const bool vector =
      Aligned(p.q) && Aligned(p.k) && Aligned(p.v) && spec.head_dim % 8 == 0 && value_dim % 8 == 0;
  const int64_t d = CeilDivide(spec.head_dim, 16) * 16;
  const int64_t e = plain ? CeilDivide(value_dim, 32) * 32 : CeilDivide(value_dim, 16) * 16;
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineType("M", mask_type), DefineNumber("D", d),
             DefineNumber("E", e), DefineNumber("REAL_D", spec.head_dim),
             DefineNumber("REAL_E", value_dim), DefineNumber("VECTOR", vector),
             DefineNumber("CAUSAL", spec.causal), DefineNumber("MASK", spec.has_mask),
             DefineNumber("MASK_BOOL", mask_type == DataType::kBool), "#define MMA_TYPE ",
             spec.type == DataType::kBf16 ? "\"bf16\"" : "\"f16\"", "\n", kCommonText,
             plain ? kPlainText : kTensorText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "attention"));
  launch.grid_x = CeilDivide(spec.queries, plain ? 4 : 64);
  launch.grid_y = spec.heads;
  launch.grid_z = spec.batch;
  launch.block = 128;
  launch.shared_bytes = plain ? static_cast<size_t>(4 * spec.head_dim * 4)
                              : static_cast<size_t>(64 * (d + 8 + e + 8) * 2);
  launch.arguments = {Input(0), Input(1), Input(2), Input(3), Output(0), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
