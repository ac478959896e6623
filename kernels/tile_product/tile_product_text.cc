#include "kernels/tile_product/tile_product_text.h"

#include "common/strings.h"

namespace nereid::engine {
namespace {

// One warp brings tiles of A and B into a ring of stages; a warp group for every 64 rows multiplies
// them. Tiles lie in shared memory as rows of 128 bytes, swizzled, as copy engine and matrix
// instructions both know them: 64 columns of k, or of n where B is k×n.
constexpr char kText[] = R"cuda(
#define BK 64
#define GROUPS (BM / 64)
#define CONSUMERS (GROUPS * 128)
#define A_BYTES (BM * 128)
#define B_BYTES (BN * 128)
#define STAGE_BYTES (A_BYTES + B_BYTES)
#define PITCH (BN + 8)

struct __align__(64) TensorMap { u64 opaque[16]; };
struct Shape {
  s32 m, n, k_tiles, pitch;
  float alpha;
  s32 activation, b_is_early;
  // Of an image: tiles of channels of a pixel, filter width, and how output pixels lie in it.
  s32 channel_tiles, filter_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  Divisor out_w, out_h;
};

DEVICE u32 SharedAddress(const void* p) { return (u32)__cvta_generic_to_shared(p); }
DEVICE void BarrierInit(u32 barrier, u32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(barrier), "r"(count) : "memory");
}
DEVICE void BarrierExpect(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(barrier), "r"(bytes) : "memory");
}
DEVICE void BarrierArrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(barrier) : "memory");
}
DEVICE void BarrierWait(u32 barrier, u32 parity) {
  asm volatile("{\n.reg .pred done;\nagain:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@!done bra again;\n}"
               :: "r"(barrier), "r"(parity) : "memory");
}
DEVICE void LoadTile(u32 to, const TensorMap& map, s32 column, s32 row, u32 barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
               :: "r"(to), "l"(&map), "r"(column), "r"(row), "r"(barrier) : "memory");
}
DEVICE void LoadPixels(u32 to, const TensorMap& map, s32 c, s32 w, s32 h, s32 n, u16 right, u16 down, u32 barrier) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%2, %3, %4, %5}], [%6], {%7, %8};"
               :: "r"(to), "l"(&map), "r"(c), "r"(w), "r"(h), "r"(n), "r"(barrier), "h"(right), "h"(down) : "memory");
}
// Rows of 128 bytes, swizzled; `step`: bytes from one eight rows to the next, `block`: from 64 columns to the next.
DEVICE u64 MatrixAt(u32 address, u32 block, u32 step) {
  return (u64)((address & 0x3ffff) >> 4) | (u64)(block >> 4) << 16 | (u64)(step >> 4) << 32 | (u64)1 << 62;
}
DEVICE s32 ClusterRank() { s32 x; asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(x)); return x; }
DEVICE s32 ClusterSize() { s32 x; asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(x)); return x; }
DEVICE void ClusterBarrier() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}
DEVICE float4 LoadFrom(u32 address, s32 block) {
  float4 x;
  u32 there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(block));
  asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(x.x), "=f"(x.y), "=f"(x.z), "=f"(x.w) : "r"(there) : "memory");
  return x;
}
DEVICE float Activate(float x, s32 activation) {
  if (activation == 1) return x < 0.f ? 0.f : x;
  if (activation == 2) {
    float t;
    asm("tanh.approx.f32 %0, %1;" : "=f"(t) : "f"(0.7978845608f * (x + 0.044715f * x * x * x)));
    return 0.5f * x * (1.f + t);
  }
  return x;
}

extern "C" __global__ void __launch_bounds__(CONSUMERS + 32) tile_product(
    const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap b_map,
    const T* bias, const T* residual, T* out, const Shape p) {
  extern __shared__ u8 memory[];
  __shared__ u64 barriers[2 * STAGES];
  const u32 ring = (SharedAddress(memory) + 1023) & ~1023u;
  const u32 full = SharedAddress(barriers), empty = full + 8 * STAGES;
  const s32 n0 = blockIdx.x * BN, m0 = blockIdx.y * BM, rank = ClusterRank(), split = ClusterSize();
  const s32 first = p.k_tiles * rank / split, count = p.k_tiles * (rank + 1) / split - first;
  const s32 warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  if (threadIdx.x == 0) {
    asm volatile("prefetch.tensormap [%0];\nprefetch.tensormap [%1];" :: "l"(&a_map), "l"(&b_map) : "memory");
    for (s32 i = 0; i < STAGES; ++i) {
      BarrierInit(full + 8 * i, 1);
      BarrierInit(empty + 8 * i, GROUPS * 4);
    }
    asm volatile("fence.mbarrier_init.release.cluster;\nfence.proxy.async;" ::: "memory");
  }
  __syncthreads();
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");

  if (warp == GROUPS * 4) {
    if (lane == 0) {
      const auto load_b = [&](s32 i, s32 stage) {
        const u32 to = ring + stage * STAGE_BYTES + A_BYTES, barrier = full + 8 * stage;
        const s32 k0 = (first + i) * BK;
        BarrierExpect(barrier, STAGE_BYTES);
#if B_ROWS
        LoadTile(to, b_map, k0, n0, barrier);
#else
        #pragma unroll
        for (s32 j = 0; j < BN / 64; ++j) LoadTile(to + j * 8192, b_map, n0 + j * 64, k0, barrier);
#endif
      };
      const s32 early = p.b_is_early ? (count < STAGES ? count : STAGES) : 0;
      for (s32 i = 0; i < early; ++i) load_b(i, i);
      asm volatile("griddepcontrol.wait;" ::: "memory");
#if IMAGE
      u32 q, y;
      const s32 image = p.out_h.Split(p.out_w.Split(m0, &q), &y);
      const s32 w0 = (s32)q * p.stride_w - p.pad_w, h0 = (s32)y * p.stride_h - p.pad_h;
#endif
      s32 stage = 0, round = 0;
      for (s32 i = 0; i < count; ++i) {
        if (i >= STAGES) BarrierWait(empty + 8 * stage, (round - 1) & 1);
        if (i >= early) load_b(i, stage);
        const u32 to = ring + stage * STAGE_BYTES, barrier = full + 8 * stage;
#if IMAGE
        const s32 tap = (first + i) / p.channel_tiles, c = (first + i - tap * p.channel_tiles) * BK;
        const s32 down = tap / p.filter_w, right = tap - down * p.filter_w;
        LoadPixels(to, a_map, c, w0, h0, image, (u16)(right * p.dilation_w), (u16)(down * p.dilation_h), barrier);
#else
        LoadTile(to, a_map, (first + i) * BK, m0, barrier);
#endif
        if (++stage == STAGES) { stage = 0; ++round; }
      }
    }
    __syncwarp();
    if (split > 1) ClusterBarrier(); else __syncthreads();
  } else {
    float sum[BN / 2];
    #pragma unroll
    for (s32 i = 0; i < BN / 2; ++i) sum[i] = 0.f;
    const u32 own_rows = (warp >> 2) * 8192;
    s32 stage = 0, round = 0, before = 0;
    for (s32 i = 0; i < count; ++i) {
      BarrierWait(full + 8 * stage, round & 1);
      const u32 a = ring + stage * STAGE_BYTES + own_rows, b = ring + stage * STAGE_BYTES + A_BYTES;
      asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
      #pragma unroll
      for (s32 k = 0; k < 4; ++k) {
#if B_ROWS
        Multiply(sum, MatrixAt(a + k * 32, 0, 1024), MatrixAt(b + k * 32, 0, 1024));
#else
        Multiply(sum, MatrixAt(a + k * 32, 0, 1024), MatrixAt(b + k * 2048, 8192, 1024));
#endif
      }
      asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 1;" ::: "memory");
      if (i > 0 && lane == 0) BarrierArrive(empty + 8 * before);
      before = stage;
      if (++stage == STAGES) { stage = 0; ++round; }
    }
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    #pragma unroll
    for (s32 i = 0; i < BN / 2; ++i) asm volatile("" : "+f"(sum[i]) :: "memory");
    // Everybody has read the last stages: their place takes the sums.
    asm volatile("bar.sync 1, %0;" :: "n"(CONSUMERS) : "memory");
    const u32 own = ring + (((warp >> 2) * 64 + (warp & 3) * 16 + (lane >> 2)) * PITCH + (lane & 3) * 2) * 4;
    #pragma unroll
    for (s32 i = 0; i < BN / 8; ++i) {
      asm volatile("st.shared.v2.f32 [%0], {%1, %2};" :: "r"(own + i * 32), "f"(sum[4 * i]), "f"(sum[4 * i + 1]) : "memory");
      asm volatile("st.shared.v2.f32 [%0], {%1, %2};" :: "r"(own + i * 32 + 8 * PITCH * 4), "f"(sum[4 * i + 2]), "f"(sum[4 * i + 3]) : "memory");
    }
    if (split > 1) ClusterBarrier(); else __syncthreads();
    asm volatile("griddepcontrol.wait;" ::: "memory");
    const s32 rows = BM / split, top = rank * rows;
    for (s32 i = threadIdx.x; i < rows * (BN / 8); i += CONSUMERS) {
      const s32 row = top + i / (BN / 8), column = i % (BN / 8) * 8, m = m0 + row, n = n0 + column;
      if (m >= p.m || n >= p.n) continue;
      const u32 at = ring + (row * PITCH + column) * 4;
      float x[8] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
      for (s32 block = 0; block < split; ++block) {
        #pragma unroll
        for (s32 half = 0; half < 2; ++half) {
          const float4 part = LoadFrom(at + half * 16, split > 1 ? block : rank);
          x[4 * half] += part.x;
          x[4 * half + 1] += part.y;
          x[4 * half + 2] += part.z;
          x[4 * half + 3] += part.w;
        }
      }
      const s64 place = (s64)m * p.pitch + n;
      #pragma unroll
      for (s32 j = 0; j < 8; ++j) x[j] *= p.alpha;
      if (residual != nullptr) {
        const Pack<T, 8> more = LoadPack<8>(residual + place);
        #pragma unroll
        for (s32 j = 0; j < 8; ++j) x[j] += Widen(more.at[j]);
      }
      if (bias != nullptr) {
        const Pack<T, 8> more = LoadPack<8>(bias + n);
        #pragma unroll
        for (s32 j = 0; j < 8; ++j) x[j] += Widen(more.at[j]);
      }
      Pack<T, 8> result;
      #pragma unroll
      for (s32 j = 0; j < 8; ++j) result.at[j] = Narrow<T>(Activate(x[j], p.activation));
      StorePack<8>(out + place, result);
    }
  }
  // The others of the cluster may still be reading here.
  if (split > 1) ClusterBarrier();
}
)cuda";

// sum += A · B, 64 rows of k = 16. The instruction names every register.
std::string MultiplyText(int columns, bool b_rows) {
  const int registers = columns / 2;
  std::string names, operands;
  for (int i = 0; i < registers; ++i) {
    StrAppend(&names, i == 0 ? "" : ", ", "%", i);
    StrAppend(&operands, i == 0 ? "" : ", ", "\"+f\"(d[", i, "])");
  }
  return StrCat("DEVICE void Multiply(float (&d)[", registers, "], u64 a, u64 b) {\n",
                "  asm volatile(\"{\\n.reg .pred add;\\nsetp.eq.u32 add, 0, 0;\\n"
                "wgmma.mma_async.sync.aligned.m64n",
                columns, "k16.f32.\" MMA_TYPE \".\" MMA_TYPE \" {", names, "}, %", registers, ", %",
                registers + 1, ", add, 1, 1, 0, ", b_rows ? 0 : 1, ";\\n}\"\n    : ", operands,
                " : \"l\"(a), \"l\"(b));\n}\n");
}

}  // namespace

std::string TileProductText(int columns, bool b_rows) {
  return MultiplyText(columns, b_rows) + kText;
}

}  // namespace nereid::engine
