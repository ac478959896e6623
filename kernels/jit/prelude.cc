#include "kernels/jit/jit.h"

namespace nereid::engine {
namespace {

// No header of the toolkit is included, so none is needed at run time, and a kernel compiles in
// half the time.
constexpr char kPrelude[] = R"cuda(
typedef signed char s8; typedef unsigned char u8; typedef short s16; typedef unsigned short u16;
typedef int s32; typedef unsigned int u32; typedef long long s64; typedef unsigned long long u64;
struct f16 { u16 bits; };
struct bf16 { u16 bits; };
struct b8 { u8 byte; };
#define DEVICE __device__ __forceinline__
#define kInfinity __int_as_float(0x7f800000)

// The type a value is computed in.
template <typename T> struct Compute { typedef s64 type; };
template <> struct Compute<f16> { typedef float type; };
template <> struct Compute<bf16> { typedef float type; };
template <> struct Compute<float> { typedef float type; };
template <> struct Compute<double> { typedef double type; };
template <typename T> using ComputeType = typename Compute<T>::type;

DEVICE float Widen(f16 x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
DEVICE float Widen(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
DEVICE float Widen(float x) { return x; }
DEVICE double Widen(double x) { return x; }
DEVICE s64 Widen(b8 x) { return x.byte != 0; }
template <typename T> DEVICE s64 Widen(T x) { return (s64)x; }

template <typename T> struct Narrower {
  template <typename C> static DEVICE T Of(C x) { return (T)x; }
};
template <> struct Narrower<f16> {
  static DEVICE f16 Of(float x) { f16 y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); return y; }
};
template <> struct Narrower<bf16> {
  static DEVICE bf16 Of(float x) { bf16 y; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); return y; }
};
template <> struct Narrower<b8> {
  template <typename C> static DEVICE b8 Of(C x) { b8 y; y.byte = x != 0; return y; }
};
template <typename T, typename C> DEVICE T Narrow(C x) { return Narrower<T>::Of(x); }

template <int kBytes> struct Raw;
template <> struct Raw<1> { typedef u8 type; };
template <> struct Raw<2> { typedef u16 type; };
template <> struct Raw<4> { typedef u32 type; };
template <> struct Raw<8> { typedef uint2 type; };
template <> struct Raw<16> { typedef uint4 type; };
// N elements that are loaded and stored at once.
template <typename T, int N> union Pack {
  typename Raw<sizeof(T) * N>::type raw;
  T at[N];
  DEVICE Pack() {}
};
template <int N, typename T> DEVICE Pack<T, N> LoadPack(const T* from) {
  Pack<T, N> p;
  p.raw = *reinterpret_cast<const typename Raw<sizeof(T) * N>::type*>(from);
  return p;
}
template <int N, typename T> DEVICE void StorePack(T* to, const Pack<T, N>& p) {
  *reinterpret_cast<typename Raw<sizeof(T) * N>::type*>(to) = p.raw;
}

struct Divisor {
  u32 divisor, multiplier, shift;
  DEVICE u32 Quotient(u32 n) const { return (__umulhi(n, multiplier) + n) >> shift; }
  DEVICE u32 Split(u32 n, u32* remainder) const {
    const u32 q = Quotient(n);
    *remainder = n - q * divisor;
    return q;
  }
};

// Reductions. All threads of the block take part; every thread gets the result; the order is fixed.
struct AddOf { template <typename C> DEVICE C operator()(C a, C b) const { return a + b; } };
struct MulOf { template <typename C> DEVICE C operator()(C a, C b) const { return a * b; } };
struct MaxOf { template <typename C> DEVICE C operator()(C a, C b) const { return a > b || a != a ? a : b; } };
struct MinOf { template <typename C> DEVICE C operator()(C a, C b) const { return a < b || a != a ? a : b; } };
template <typename C, typename F> DEVICE C WarpReduce(C x, F f) {
  #pragma unroll
  for (int lane = 16; lane > 0; lane >>= 1) x = f(x, __shfl_xor_sync(0xffffffffu, x, lane));
  return x;
}
template <typename C, typename F> DEVICE C BlockReduce(C x, F f) {
  __shared__ C partial[32];
  const int warps = (blockDim.x + 31) >> 5;
  x = WarpReduce(x, f);
  if (warps == 1) return x;
  __syncthreads();
  if ((threadIdx.x & 31) == 0) partial[threadIdx.x >> 5] = x;
  __syncthreads();
  x = partial[0];
  for (int i = 1; i < warps; ++i) x = f(x, partial[i]);
  return x;
}
)cuda";

}  // namespace

std::string_view KernelPrelude() { return kPrelude; }

}  // namespace nereid::engine
