#include "kernels/attention/attention.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/alternatives.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

constexpr int64_t kMaxDim = 128;
constexpr int64_t kKeysOfTile = 64;

constexpr char kCommonText[] = R"cuda(
struct Strides { s64 batch, head, row; };
struct Parameters {
  s32 heads, shared, queries, keys;  // `shared` query heads use one key head
  float scale;
  Strides q, k, v, y;
  s64 mask[4];
};
)cuda";

// Tensor cores: a warp has 16 queries; the keys and values of the next 64 keys travel to shared
// memory while those of the last 64 are worked on; scores and the result stay in registers. Lane
// layout of mma.m16n8k16: g = lane / 4 is a row (and g + 8), t = lane % 4 a pair of columns.
constexpr char kTensorText[] = R"cuda(
#define THREADS (WARPS * 32)
#define ROW_K (D + 8)
#define ROW_V (E + 8)
#define STAGE (64 * (ROW_K + ROW_V))
#define kLog2E 1.4426950408889634f
#if SMALL
typedef s32 Index;  // of an element within a head: half the instructions
#else
typedef s64 Index;
#endif
DEVICE u32 SharedAddress(const void* p) { return (u32)__cvta_generic_to_shared(p); }
DEVICE void Mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." MMA_TYPE "." MMA_TYPE ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// Four 8×8 matrices; the lanes of each eight give the addresses of one's rows.
DEVICE void LoadMatrices(u32 (&r)[4], const u16* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(SharedAddress(row)));
}
DEVICE void LoadTransposed(u32 (&r)[4], const u16* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(SharedAddress(row)));
}
DEVICE u32 PairOf(float low, float high) { return (u32)Narrow<T>(low).bits | (u32)Narrow<T>(high).bits << 16; }
DEVICE float Exp2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
// Rows [first, first + kRows) of a matrix, `dim` wide, to shared memory, zeros around.
template <int kRows, int kDim, int kRow> DEVICE void LoadTile(u16* tile, const u16* from, s64 row_stride, s32 first, s32 rows, s32 dim) {
  if (VECTOR) {
    #pragma unroll 4
    for (int i = threadIdx.x; i < kRows * kDim / 8; i += THREADS) {
      const int row = i / (kDim / 8), column = i % (kDim / 8) * 8;
      const bool inside = first + row < rows && column < dim;
      const u16* source = inside ? from + (Index)(first + row) * (Index)row_stride + column : from;
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(SharedAddress(tile + row * kRow + column)), "l"(source), "r"(inside ? 16 : 0) : "memory");
    }
  } else {
    for (int i = threadIdx.x; i < kRows * kDim; i += THREADS) {
      const int row = i / kDim, column = i % kDim;
      tile[row * kRow + column] = first + row < rows && column < dim ? from[(first + row) * row_stride + column] : 0;
    }
  }
}
DEVICE void Commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kLeft> DEVICE void WaitForAllBut() { asm volatile("cp.async.wait_group %0;" :: "n"(kLeft) : "memory"); }

// What a warp carries from tile to tile.
struct Rows {
  u32 q[D / 16][4];
  float out[E / 8][4];
  float peak[2], sum[2];  // of rows g and g + 8; the peak in powers of two
};

// 64 keys from `first` on. kGuarded: some of them are not there, or must not be seen.
template <bool kGuarded> DEVICE void Tile(Rows& rows, const u16* k_tile, const u16* v_tile, const M* const (&mask)[2], const Parameters& p, s32 row, s32 first) {
  const int lane = threadIdx.x % 32, t = lane % 4;
  const int groups = kGuarded ? min(8, (p.keys - first + 7) / 8) : 8;  // of 8 keys
  float score[8][4];
  #pragma unroll
  for (int n = 0; n < 8; n += 2) {
    #pragma unroll
    for (int e = 0; e < 4; ++e) score[n][e] = score[n + 1][e] = 0.0f;
    if (kGuarded && n >= groups) continue;
    #pragma unroll
    for (int i = 0; i < D / 16; ++i) {
      u32 b[4];
      LoadMatrices(b, k_tile + (n * 8 + lane / 16 * 8 + lane % 8) * ROW_K + i * 16 + lane / 8 % 2 * 8);
      Mma(score[n], rows.q[i], b[0], b[1]);
      Mma(score[n + 1], rows.q[i], b[2], b[3]);
    }
  }
  const float scale = p.scale * kLog2E;
  float high[2] = {rows.peak[0], rows.peak[1]};
  #pragma unroll
  for (int n = 0; n < 8; ++n) {
    const s32 column = first + n * 8 + 2 * t;
    #pragma unroll
    for (int r = 0; r < 2; ++r) {
      float addend[2] = {0.0f, 0.0f};
      if (MASK && (!kGuarded || n < groups)) {
        if (MASK_PAIRS && !kGuarded) {
          const auto pair = LoadPack<2>(mask[r] + column);
          #pragma unroll
          for (int e = 0; e < 2; ++e) addend[e] = MASK_BOOL ? (Widen(pair.at[e]) != 0 ? 0.0f : -kInfinity) : (float)Widen(pair.at[e]);
        } else {
          #pragma unroll
          for (int e = 0; e < 2; ++e) {
            const auto m = Widen(mask[r][(kGuarded ? min(column + e, p.keys - 1) : column + e) * p.mask[3]]);
            addend[e] = MASK_BOOL ? (m != 0 ? 0.0f : -kInfinity) : (float)m;
          }
        }
      }
      #pragma unroll
      for (int e = 0; e < 2; ++e) {
        float& s = score[n][2 * r + e];
        s = MASK ? fmaf(s, scale, addend[e] * kLog2E) : s * scale;
        if (kGuarded && (column + e >= p.keys || (CAUSAL && column + e > row + r * 8 + p.keys - p.queries))) s = -kInfinity;
        high[r] = fmaxf(high[r], s);
      }
    }
  }
  #pragma unroll
  for (int r = 0; r < 2; ++r) {
    high[r] = fmaxf(high[r], __shfl_xor_sync(0xffffffffu, high[r], 1));
    high[r] = fmaxf(high[r], __shfl_xor_sync(0xffffffffu, high[r], 2));
    // A row that has seen no key yet keeps −∞: its factor and its weights are zero, not NaN.
    const float base = high[r] == -kInfinity ? 0.0f : high[r];
    const float factor = Exp2(rows.peak[r] - base);
    rows.peak[r] = high[r];
    rows.sum[r] *= factor;
    #pragma unroll
    for (int n = 0; n < E / 8; ++n) {
      rows.out[n][2 * r] *= factor;
      rows.out[n][2 * r + 1] *= factor;
    }
    #pragma unroll
    for (int n = 0; n < 8; ++n) {
      #pragma unroll
      for (int e = 0; e < 2; ++e) {
        score[n][2 * r + e] = Exp2(score[n][2 * r + e] - base);
        rows.sum[r] += score[n][2 * r + e];
      }
    }
  }
  #pragma unroll
  for (int i = 0; i < 4; ++i) {  // 16 keys at a time
    if (kGuarded && i * 2 >= groups) continue;
    const u32 weights[4] = {PairOf(score[2 * i][0], score[2 * i][1]), PairOf(score[2 * i][2], score[2 * i][3]),
                            PairOf(score[2 * i + 1][0], score[2 * i + 1][1]), PairOf(score[2 * i + 1][2], score[2 * i + 1][3])};
    #pragma unroll
    for (int n = 0; n < E / 8; n += 2) {
      u32 b[4];
      LoadTransposed(b, v_tile + (i * 16 + lane % 16) * ROW_V + (n + lane / 16) * 8);
      Mma(rows.out[n], weights, b[0], b[1]);
      Mma(rows.out[n + 1], weights, b[2], b[3]);
    }
  }
}

extern __shared__ __align__(16) u16 tiles[];
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) attention(const u16* q, const u16* k, const u16* v, const M* mask, u16* y, const __grid_constant__ Parameters p) {
  u16* const q_tile = tiles;
  u16* const stages = tiles + WARPS * 16 * ROW_K;
  const s32 batch = blockIdx.z, head = blockIdx.y, first_query = blockIdx.x * WARPS * 16;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  q += batch * p.q.batch + head * p.q.head;
  k += batch * p.k.batch + head / p.shared * p.k.head;
  v += batch * p.v.batch + head / p.shared * p.v.head;
  y += batch * p.y.batch + head * p.y.head;
  s32 end = p.keys;
  if (CAUSAL) end = min(end, first_query + WARPS * 16 + p.keys - p.queries);
  const auto load = [&](s32 first, int stage) {
    LoadTile<64, D, ROW_K>(stages + stage * STAGE, k, p.k.row, first, p.keys, REAL_D);
    LoadTile<64, E, ROW_V>(stages + stage * STAGE + 64 * ROW_K, v, p.v.row, first, p.keys, REAL_E);
    Commit();
  };
  LoadTile<WARPS * 16, D, ROW_K>(q_tile, q, p.q.row, first_query, p.queries, REAL_D);
  load(0, 0);

  const s32 row = first_query + warp * 16 + g;
  const bool has_rows = first_query + warp * 16 < p.queries;
  const M* rows_of_mask[2] = {mask, mask};
  if (MASK) {
    #pragma unroll
    for (int r = 0; r < 2; ++r) rows_of_mask[r] += batch * p.mask[0] + head * p.mask[1] + min(row + r * 8, p.queries - 1) * p.mask[2];
  }
  Rows rows;
  #pragma unroll
  for (int n = 0; n < E / 8; ++n) {
    #pragma unroll
    for (int e = 0; e < 4; ++e) rows.out[n][e] = 0.0f;
  }
  rows.peak[0] = rows.peak[1] = -kInfinity;
  rows.sum[0] = rows.sum[1] = 0.0f;
  int stage = 0;
  for (s32 first = 0; first < end; first += 64) {
    if (first + 64 < end) {
      load(first + 64, stage ^ 1);
      WaitForAllBut<1>();
    } else {
      WaitForAllBut<0>();
    }
    __syncthreads();
    if (has_rows) {
      if (first == 0) {
        #pragma unroll
        for (int i = 0; i < D / 16; ++i) LoadMatrices(rows.q[i], q_tile + (warp * 16 + lane % 16) * ROW_K + i * 16 + lane / 16 * 8);
      }
      const u16* tile = stages + stage * STAGE;
      const bool guarded = first + 64 > p.keys || (CAUSAL && first + 63 > first_query + warp * 16 + p.keys - p.queries);
      if (guarded) Tile<true>(rows, tile, tile + 64 * ROW_K, rows_of_mask, p, row, first);
      else Tile<false>(rows, tile, tile + 64 * ROW_K, rows_of_mask, p, row, first);
    }
    __syncthreads();
    stage ^= 1;
  }
  WaitForAllBut<0>();
  __syncthreads();
  if (!has_rows) return;
  #pragma unroll
  for (int r = 0; r < 2; ++r) {
    rows.sum[r] += __shfl_xor_sync(0xffffffffu, rows.sum[r], 1);
    rows.sum[r] += __shfl_xor_sync(0xffffffffu, rows.sum[r], 2);
    const float inverse = rows.sum[r] > 0 ? 1.0f / rows.sum[r] : 0.0f;
    #pragma unroll
    for (int n = 0; n < E / 8; ++n) {
      rows.out[n][2 * r] *= inverse;
      rows.out[n][2 * r + 1] *= inverse;
    }
  }
  if (VECTOR && E <= D) {
    // Through shared memory, where this warp's queries were, so that whole lines are stored.
    u16* const mine = q_tile + warp * 16 * ROW_K;
    __syncwarp();
    #pragma unroll
    for (int n = 0; n < E / 8; ++n) {
      *reinterpret_cast<u32*>(mine + g * ROW_K + n * 8 + 2 * t) = PairOf(rows.out[n][0], rows.out[n][1]);
      *reinterpret_cast<u32*>(mine + (g + 8) * ROW_K + n * 8 + 2 * t) = PairOf(rows.out[n][2], rows.out[n][3]);
    }
    __syncwarp();
    for (int i = lane; i < 16 * E / 8; i += 32) {
      const int line = i / (E / 8), column = i % (E / 8) * 8;
      const s32 to = first_query + warp * 16 + line;
      if (to < p.queries && column < REAL_E) *reinterpret_cast<uint4*>(y + to * p.y.row + column) = *reinterpret_cast<const uint4*>(mine + line * ROW_K + column);
    }
    return;
  }
  #pragma unroll
  for (int r = 0; r < 2; ++r) {
    if (row + r * 8 >= p.queries) continue;
    #pragma unroll
    for (int n = 0; n < E / 8; ++n) {
      #pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int column = n * 8 + 2 * t + e;
        if (column < REAL_E) y[(row + r * 8) * p.y.row + column] = Narrow<T>(rows.out[n][2 * r + e]).bits;
      }
    }
  }
}
)cuda";

// fp32: a warp a query; a lane scores one key of 32, then the lanes share out the columns of v.
constexpr char kPlainText[] = R"cuda(
// The addend of score (row, column), or −∞ where the key must not be seen.
DEVICE float Addend(const M* mask, const Parameters& p, s64 mask_base, s32 row, s32 column) {
  if (column >= p.keys || (CAUSAL && column > row + p.keys - p.queries)) return -kInfinity;
  if (!MASK || row >= p.queries) return 0.0f;
  const auto m = Widen(mask[mask_base + row * p.mask[2] + column * p.mask[3]]);
  return MASK_BOOL ? (m != 0 ? 0.0f : -kInfinity) : (float)m;
}
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

// Whether the rows of a head are all within 31 bits of its first; tiles reach beyond the last one.
bool IsSmall(const Parameters& p) {
  const int64_t rows = std::max(p.queries, p.keys) + 2 * kKeysOfTile;
  return rows * std::max({p.q.row, p.k.row, p.v.row}) <= std::numeric_limits<int32_t>::max();
}

// Whether two neighbours of the mask can be read at once, wherever they begin.
bool InPairs(const std::array<int64_t, 4>& strides) {
  return strides[0] % 2 == 0 && strides[1] % 2 == 0 && strides[2] % 2 == 0 && strides[3] == 1;
}

// How a block of the tensor core kernel is made up.
struct TilePlan {
  int64_t warps;   // each has 16 queries
  int64_t blocks;  // a multiprocessor must have registers for
};
constexpr TilePlan kTilePlans[] = {{8, 2}, {8, 1}, {4, 4}, {4, 3}, {4, 2}, {2, 4}, {1, 4}};
constexpr int64_t kStages = 2;  // the next tile is loaded while one is worked on
constexpr int64_t kFewQueries = 16;

int64_t SharedBytes(const TilePlan& plan, int64_t d, int64_t e) {
  return 2 * (plan.warps * kFewQueries * (d + 8) + kStages * kKeysOfTile * (d + 8 + e + 8));
}

// Whether a plan is worth trying: blocks that are not mostly empty, fewer queries a block only
// where there are too few blocks to go round, and no cap on registers that wide heads need.
bool Suits(const TilePlan& plan, const AttentionSpec& spec, int64_t value_dim,
           int64_t multiprocessors) {
  const auto blocks = [&](int64_t warps) {
    return CeilDivide(spec.queries, warps * kFewQueries) * spec.heads * spec.batch;
  };
  const bool wide = spec.head_dim > 64 || value_dim > 64;
  if (plan.warps >= 4 && wide != (plan.warps * plan.blocks <= 8)) return false;
  if (plan.warps > 1 && (plan.warps / 2) * kFewQueries >= spec.queries) return false;
  if (plan.warps < 4) {
    return plan.warps * kFewQueries >= spec.queries || blocks(plan.warps * 2) < 2 * multiprocessors;
  }
  return plan.warps == 4 || blocks(plan.warps) >= multiprocessors;
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

// An attention with what its specification leaves open.
struct Completion {
  Parameters parameters;
  int64_t value_dim;
  bool vector;  // rows can be read 16 bytes at a time
  bool small;   // an element's place within a head fits 31 bits
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeWith(Toolbox& toolbox, const AttentionSpec& spec,
                                                   const Completion& c, const TilePlan& plan) {
  const bool plain = spec.type == DataType::kFp32;
  const DataType mask_type = spec.mask_type == DataType::kInvalid ? spec.type : spec.mask_type;
  const int64_t step = plain ? 32 : 16;
  const int64_t d = CeilDivide(spec.head_dim, 16) * 16, e = CeilDivide(c.value_dim, step) * step;
  const std::string source = StrCat(
      DefineType("T", spec.type), DefineType("M", mask_type), DefineNumber("D", d),
      DefineNumber("E", e), DefineNumber("WARPS", plan.warps), DefineNumber("BLOCKS", plan.blocks),
      DefineNumber("REAL_D", spec.head_dim), DefineNumber("REAL_E", c.value_dim),
      DefineNumber("VECTOR", c.vector), DefineNumber("SMALL", c.small),
      DefineNumber("CAUSAL", spec.causal), DefineNumber("MASK", spec.has_mask),
      DefineNumber("MASK_BOOL", mask_type == DataType::kBool),
      DefineNumber("MASK_PAIRS", InPairs(spec.mask_strides)), "#define MMA_TYPE ",
      spec.type == DataType::kBf16 ? "\"bf16\"" : "\"f16\"", "\n", kCommonText,
      plain ? kPlainText : kTensorText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "attention"));
  launch.grid_x = CeilDivide(spec.queries, plain ? 4 : plan.warps * kFewQueries);
  launch.grid_y = spec.heads;
  launch.grid_z = spec.batch;
  launch.block = plain ? 128 : static_cast<int>(plan.warps * 32);
  launch.shared_bytes = plain ? static_cast<size_t>(4 * spec.head_dim * 4)
                              : static_cast<size_t>(SharedBytes(plan, d, e));
  launch.arguments = {Input(0), Input(1), Input(2), Input(3), Output(0), Value(c.parameters)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

std::string Words(const AttentionStrides& s) { return StrCat(s.batch, ",", s.head, ",", s.row); }

std::string Specification(const AttentionSpec& s, const Parameters& p) {
  return StrCat("attention ", s.batch, "x", s.heads, "/", p.shared, " ", s.queries, "x", s.keys,
                "x", s.head_dim, "x", s.value_dim, " ", ProtocolName(s.type), " ", Words(p.q), " ",
                Words(p.k), " ", Words(p.v), " ", Words(p.y), s.causal ? " causal" : "",
                s.has_mask ? StrCat(" mask ", ProtocolName(s.mask_type), " ", p.mask[0], ",",
                                    p.mask[1], ",", p.mask[2], ",", p.mask[3])
                           : "");
}

// The bytes that an operand spans.
size_t Span(const AttentionSpec& spec, const AttentionStrides& strides, int64_t heads, int64_t rows,
            int64_t columns) {
  const int64_t last = (spec.batch - 1) * strides.batch + (heads - 1) * strides.head +
                       (rows - 1) * strides.row + columns;
  return static_cast<size_t>(std::max<int64_t>(last, 1)) * ElementByteSize(spec.type);
}

RaceOperands OperandsOf(const AttentionSpec& spec, const Completion& c) {
  const Parameters& p = c.parameters;
  const int64_t kv_heads = spec.heads / p.shared;
  size_t mask = 0;
  if (spec.has_mask) {
    const DataType type = spec.mask_type == DataType::kInvalid ? spec.type : spec.mask_type;
    mask = static_cast<size_t>((spec.batch - 1) * p.mask[0] + (spec.heads - 1) * p.mask[1] +
                               (spec.queries - 1) * p.mask[2] + (spec.keys - 1) * p.mask[3] + 1) *
           ElementByteSize(type);
  }
  return {{Span(spec, p.q, spec.heads, spec.queries, spec.head_dim),
           Span(spec, p.k, kv_heads, spec.keys, spec.head_dim),
           Span(spec, p.v, kv_heads, spec.keys, c.value_dim), mask},
          {Span(spec, p.y, spec.heads, spec.queries, c.value_dim)}};
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

  const Completion completion = {p, value_dim,
                                 Aligned(p.q) && Aligned(p.k) && Aligned(p.v) && Aligned(p.y) &&
                                     spec.head_dim % 8 == 0 && value_dim % 8 == 0,
                                 IsSmall(p)};
  if (spec.type == DataType::kFp32 || ExtentProduct({spec.batch, spec.heads, spec.queries}) == 0) {
    return MakeWith(toolbox, spec, completion, {4, 1});
  }
  std::vector<Alternative> alternatives;
  for (const TilePlan& plan : kTilePlans) {
    if (!Suits(plan, spec, value_dim, toolbox.context()->multiprocessors())) continue;
    alternatives.push_back({StrCat(plan.warps, " warps, ", plan.blocks, " blocks"),
                            [&, plan] { return MakeWith(toolbox, spec, completion, plan); }});
  }
  return MakeFastest(toolbox, Specification(spec, p), alternatives, OperandsOf(spec, completion));
}

}  // namespace nereid::engine
