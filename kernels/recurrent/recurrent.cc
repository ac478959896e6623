#include "kernels/recurrent/recurrent.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"
#include "kernels/recurrent/activations.h"

namespace nereid::engine {
namespace {

constexpr int kThreads = 512;
// Blocks that share one layer's weights; what every GPU with clusters allows.
constexpr int64_t kClusterSize = 8;
constexpr int64_t kLeastHiddenOfCluster = 32;
constexpr int64_t kMostRows = 8;

// What both kernels below have in common.
constexpr char kCellText[] = R"cuda(
struct Parameters {
  s32 steps, batch, hidden, reverse;
  s64 x_step, x_batch, x_direction, y_step, y_batch, y_direction, state_batch, state_direction;
};
struct Operands {
  const T *x, *weights, *hidden_bias, *initial_h, *initial_c, *peephole;
  const s32* lengths;
  T *y, *last_h, *last_c;
};
extern __shared__ __align__(16) float shared[];
// GRU without linear_before_reset multiplies its third gate only after the reset.
#define SPLIT (GATES == 3 && !LINEAR_BEFORE_RESET)
DEVICE float Clip(float x) { return CLIP > 0.0f ? fminf(fmaxf(x, -(CLIP)), CLIP) : x; }
// gates[b * stride + j] = Σ weights[j][i] · state[b][i] for j < count: a warp makes MANY rows at a time for all
// sequences, lanes side by side along the rows.
DEVICE void Multiply(const T* weights, const float* state, float* gates, s32 stride, s32 count, s32 n) {
  const int MANY = 4, warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  for (s32 j = warp * MANY; j < count; j += warps * MANY) {
    float sum[MANY][ROWS] = {};
    for (s32 i = lane * VECTOR; i < n; i += 32 * VECTOR) {
      Pack<T, VECTOR> w[MANY];
      #pragma unroll
      for (int m = 0; m < MANY; ++m) w[m] = LoadPack<VECTOR>(weights + (s64)min(j + m, count - 1) * n + i);
      #pragma unroll
      for (int b = 0; b < ROWS; ++b) {
        const Pack<float, VECTOR> h = LoadPack<VECTOR>(state + b * n + i);
        #pragma unroll
        for (int m = 0; m < MANY; ++m) {
          #pragma unroll
          for (int v = 0; v < VECTOR; ++v) sum[m][b] += Widen(w[m].at[v]) * h.at[v];
        }
      }
    }
    #pragma unroll
    for (int m = 0; m < MANY; ++m) {
      #pragma unroll
      for (int b = 0; b < ROWS; ++b) {
        const float total = WarpReduce(sum[m][b], AddOf());
        if (lane == 0 && j + m < count) gates[b * stride + j + m] = total;
      }
    }
  }
}
// The next state of unit `at`: `own` are its products with the state, `apart` elements from gate to gate, `in` the
// inputs' part of its gates.
DEVICE float Advance(const Operands& o, const float* own, s32 apart, const float* in, float h, float& c, s32 at, s32 n) {
#if GATES == 4
  float p[3] = {};
  if (o.peephole) for (int g = 0; g < 3; ++g) p[g] = Widen(o.peephole[g * n + at]);
  const float i = Activate0(Clip(own[0] + in[0] + p[0] * c));
  const float f = COUPLED ? 1.0f - i : Activate0(Clip(own[2 * apart] + in[2] + p[2] * c));
  c = f * c + i * Activate1(Clip(own[3 * apart] + in[3]));
  return Activate0(Clip(own[apart] + in[1] + p[1] * c)) * Activate2(c);
#elif GATES == 3
  const float z = Activate0(Clip(own[0] + in[0]));
  const float recurrent = own[2 * apart] + (o.hidden_bias ? Widen(o.hidden_bias[at]) : 0.0f);
  const float r = LINEAR_BEFORE_RESET ? Activate0(Clip(own[apart] + in[1])) : 1.0f;
  return (1.0f - z) * Activate1(Clip(in[2] + r * recurrent)) + z * h;
#else
  return Activate0(Clip(own[0] + in[0]));
#endif
}
// The part of the operands that belongs to this block's direction.
DEVICE Operands InDirection(Operands o, const Parameters& p) {
  const s32 d = blockIdx.y, n = p.hidden;
  o.x += d * p.x_direction;
  o.weights += (s64)d * GATES * n * n;
  if (o.hidden_bias) o.hidden_bias += d * n;
  if (o.initial_h) o.initial_h += d * p.state_direction;
  if (o.initial_c) o.initial_c += d * p.state_direction;
  if (o.peephole) o.peephole += d * 3 * n;
  if (o.y) o.y += d * p.y_direction;
  if (o.last_h) o.last_h += d * p.state_direction;
  if (o.last_c) o.last_c += d * p.state_direction;
  return o;
}
DEVICE s32 LengthOf(const Operands& o, const Parameters& p, s32 row) {
  if (row >= p.batch) return 0;
  return o.lengths ? min(max(o.lengths[row], 0), p.steps) : p.steps;
}
// The step of the sequence that is the s-th to be walked.
DEVICE s32 StepOf(const Parameters& p, s32 s, s32 length) {
  return p.reverse || blockIdx.y != 0 ? length - 1 - s : s;
}
DEVICE void ReadGates(const Operands& o, const Parameters& p, s32 step, s32 row, s32 at, float* in) {
  const T* from = o.x + step * p.x_step + row * p.x_batch + at;
  #pragma unroll
  for (int g = 0; g < GATES; ++g) in[g] = Widen(from[g * p.hidden]);
}
)cuda";

// A block walks all steps of ROWS sequences; states stay in shared memory, the recurrent weights in
// the caches.
constexpr char kBlockText[] = R"cuda(
extern "C" __global__ void __launch_bounds__(512) recurrent(
    const T* x, const T* weights, const T* hidden_bias, const T* initial_h, const T* initial_c, const s32* lengths,
    const T* peephole, T* y, T* last_h, T* last_c, const __grid_constant__ Parameters p) {
  const Operands o = InDirection({x, weights, hidden_bias, initial_h, initial_c, peephole, lengths, y, last_h, last_c}, p);
  const s32 n = p.hidden, first_row = blockIdx.x * ROWS;
  float* h = shared;
  float* c = h + ROWS * n;
  float* gates = c + ROWS * n;
  for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
    const s32 row = first_row + i / n;
    const s64 from = row * p.state_batch + i % n;
    h[i] = row < p.batch && o.initial_h ? Widen(o.initial_h[from]) : 0.0f;
    c[i] = row < p.batch && o.initial_c ? Widen(o.initial_c[from]) : 0.0f;
  }
  __syncthreads();
  for (s32 s = 0; s < p.steps; ++s) {
    Multiply(o.weights, h, gates, GATES * n, (SPLIT ? 2 : GATES) * n, n);
    __syncthreads();
#if SPLIT
    for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
      const s32 b = i / n, at = i % n, row = first_row + b, length = LengthOf(o, p, row);
      c[i] = 0.0f;
      if (s >= length) continue;
      float in[GATES];
      ReadGates(o, p, StepOf(p, s, length), row, at, in);
      c[i] = Activate0(Clip(gates[b * 3 * n + n + at] + in[1])) * h[i];
    }
    __syncthreads();
    Multiply(o.weights + (s64)2 * n * n, c, gates + 2 * n, GATES * n, n, n);
    __syncthreads();
#endif
    for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
      const s32 b = i / n, at = i % n, row = first_row + b, length = LengthOf(o, p, row);
      if (row >= p.batch) continue;
      if (s >= length) {
        // A sequence that has ended keeps its state; what it would give is zero.
        if (o.y) o.y[s * p.y_step + row * p.y_batch + at] = Narrow<T>(0.0f);
        continue;
      }
      const s32 step = StepOf(p, s, length);
      float in[GATES];
      ReadGates(o, p, step, row, at, in);
      h[i] = Advance(o, gates + b * GATES * n + at, n, in, h[i], c[i], at, n);
      if (o.y) o.y[step * p.y_step + row * p.y_batch + at] = Narrow<T>(h[i]);
    }
    __syncthreads();
  }
  for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
    const s32 row = first_row + i / n;
    if (row >= p.batch) continue;
    const s64 to = row * p.state_batch + i % n;
    if (o.last_h) o.last_h[to] = Narrow<T>(h[i]);
    if (o.last_c) o.last_c[to] = Narrow<T>(c[i]);
  }
}
)cuda";

// A cluster of blocks walks all steps of ROWS sequences. Each block keeps the weights of its units
// in shared memory for all steps, and sends their new states to the others' copies of the state: of
// two copies in turn, so that one meeting a step is enough.
constexpr char kClusterText[] = R"cuda(
DEVICE s32 ClusterRank() { s32 rank; asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank)); return rank; }
DEVICE void Meet() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}
// Writes to the same place in the shared memory of every block.
DEVICE void Spread(float* to, float value) {
  const u32 own = (u32)__cvta_generic_to_shared(to);
  #pragma unroll
  for (int block = 0; block < CLUSTER; ++block) {
    u32 there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(own), "r"(block));
    asm volatile("st.shared::cluster.f32 [%0], %1;" :: "r"(there), "f"(value) : "memory");
  }
}
extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(512) recurrent(
    const T* x, const T* weights, const T* hidden_bias, const T* initial_h, const T* initial_c, const s32* lengths,
    const T* peephole, T* y, T* last_h, T* last_c, const __grid_constant__ Parameters p) {
  const Operands o = InDirection({x, weights, hidden_bias, initial_h, initial_c, peephole, lengths, y, last_h, last_c}, p);
  const s32 n = p.hidden, first_row = blockIdx.x / CLUSTER * ROWS, first = ClusterRank() * UNITS;
  const s32 units = max(min(UNITS, n - first), 0);
  float* states = shared;                   // [2][ROWS][n]
  float* reset = states + 2 * ROWS * n;     // [ROWS][n], GRU that splits only
  float* gates = reset + (SPLIT ? ROWS * n : 0);  // [ROWS][GATES][UNITS]
  float* cells = gates + ROWS * GATES * UNITS;    // [ROWS][UNITS]
  T* own_weights = (T*)(shared + WEIGHTS_AT);     // [GATES][UNITS][n]
  for (s32 i = threadIdx.x * VECTOR; i < GATES * UNITS * n; i += blockDim.x * VECTOR) {
    const s32 row = i / n, gate = row / UNITS, unit = row % UNITS;
    if (unit < units) StorePack(own_weights + i, LoadPack<VECTOR>(o.weights + (s64)(gate * n + first + unit) * n + i % n));
  }
  for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
    const s32 row = first_row + i / n;
    states[i] = row < p.batch && o.initial_h ? Widen(o.initial_h[row * p.state_batch + i % n]) : 0.0f;
  }
  // A thread keeps one unit of one sequence through all steps.
  const s32 b = threadIdx.x / UNITS, unit = threadIdx.x % UNITS, at = first + unit, row = first_row + b;
  const bool mine = b < ROWS && unit < units && row < p.batch;
  const s32 length = mine ? LengthOf(o, p, row) : 0;
  float h = 0.0f, c = 0.0f;
  if (mine && o.initial_h) h = Widen(o.initial_h[row * p.state_batch + at]);
  if (mine && o.initial_c) c = Widen(o.initial_c[row * p.state_batch + at]);
  Meet();
  for (s32 s = 0; s < p.steps; ++s) {
    const float* state = states + (s & 1) * ROWS * n;
    const bool runs = s < length;
    const s32 step = StepOf(p, s, length);
    float in[GATES] = {};
    if (runs) ReadGates(o, p, step, row, at, in);
    Multiply(own_weights, state, gates, GATES * UNITS, (SPLIT ? 2 : GATES) * UNITS, n);
    __syncthreads();
#if SPLIT
    if (mine) Spread(reset + b * n + at, runs ? Activate0(Clip(gates[(b * GATES + 1) * UNITS + unit] + in[1])) * h : 0.0f);
    Meet();
    Multiply(own_weights + 2 * UNITS * n, reset, gates + 2 * UNITS, GATES * UNITS, UNITS, n);
    __syncthreads();
#endif
    if (runs) h = Advance(o, gates + b * GATES * UNITS + unit, UNITS, in, h, c, at, n);
    if (mine && o.y) {
      o.y[(runs ? step : s) * p.y_step + row * p.y_batch + at] = Narrow<T>(runs ? h : 0.0f);
    }
    if (mine) Spread(states + ((s + 1) & 1) * ROWS * n + b * n + at, h);
    Meet();
  }
  if (mine && o.last_h) o.last_h[row * p.state_batch + at] = Narrow<T>(h);
  if (mine && o.last_c) o.last_c[row * p.state_batch + at] = Narrow<T>(c);
}
)cuda";

struct Parameters {
  int32_t steps, batch, hidden, reverse;
  int64_t x_step, x_batch, x_direction, y_step, y_batch, y_direction, state_batch, state_direction;
};

// How the work is cut into blocks, and what they need.
struct BlockPlan {
  bool cluster = false;
  int64_t rows = 1;
  int64_t units = 0;       // of one block of a cluster
  int64_t weights_at = 0;  // in floats
  size_t shared_bytes = 0;
};

bool SplitsGates(const RecurrentSpec& spec) {
  return spec.cell == RecurrentCell::kGru && !spec.linear_before_reset;
}

BlockPlan PlanCluster(const RecurrentSpec& spec, int64_t rows) {
  BlockPlan shape{true, rows, CeilDivide(spec.hidden, kClusterSize), 0, 0};
  const int64_t gates = GatesOf(spec.cell);
  const int64_t floats =
      rows * spec.hidden * (SplitsGates(spec) ? 3 : 2) + rows * (gates + 1) * shape.units;
  shape.weights_at = CeilDivide(floats, 4) * 4;
  shape.shared_bytes =
      static_cast<size_t>(shape.weights_at) * 4 +
      static_cast<size_t>(gates * shape.units * spec.hidden) * ElementByteSize(spec.type);
  return shape;
}

BlockPlan PlanBlock(const RecurrentSpec& spec, int64_t rows) {
  return {false, rows, 0, 0,
          static_cast<size_t>(rows * spec.hidden * (2 + GatesOf(spec.cell)) * 4)};
}

// More sequences a block read the weights less often; as many as fill the GPU and fit.
BlockPlan PlanOf(const Context& context, const RecurrentSpec& spec) {
  const auto fewest = [&](int64_t rows, int64_t blocks) {
    return rows > 1 &&
           CeilDivide(spec.batch, rows) * spec.directions * blocks < context.multiprocessors();
  };
  if (context.compute_capability() >= 90 && spec.hidden >= kLeastHiddenOfCluster) {
    int64_t rows = kMostRows;
    while (rows > 1 && (rows * CeilDivide(spec.hidden, kClusterSize) > kThreads ||
                        rows >= 2 * spec.batch || fewest(rows, kClusterSize) ||
                        PlanCluster(spec, rows).shared_bytes > context.max_shared_bytes())) {
      rows /= 2;
    }
    const BlockPlan shape = PlanCluster(spec, rows);
    if (shape.shared_bytes <= context.max_shared_bytes() && shape.units <= kThreads) return shape;
  }
  int64_t rows = kMostRows;
  while (rows > 1 && (rows >= 2 * spec.batch || fewest(rows, 1) ||
                      PlanBlock(spec, rows).shared_bytes > context.max_shared_bytes())) {
    rows /= 2;
  }
  return PlanBlock(spec, rows);
}

Parameters ParametersOf(const RecurrentSpec& spec) {
  const int64_t gates = GatesOf(spec.cell), n = spec.hidden;
  Parameters p{};
  p.steps = static_cast<int32_t>(spec.steps);
  p.batch = static_cast<int32_t>(spec.batch);
  p.hidden = static_cast<int32_t>(n);
  p.reverse = spec.reverse ? 1 : 0;
  const bool dense_x = spec.x_step == 0, dense_y = spec.y_step == 0;
  p.x_step = dense_x ? spec.batch * spec.directions * gates * n : spec.x_step;
  p.x_batch = dense_x ? spec.directions * gates * n : spec.x_batch;
  p.x_direction = dense_x ? gates * n : spec.x_direction;
  p.y_step = dense_y ? spec.directions * spec.batch * n : spec.y_step;
  p.y_batch = dense_y ? n : spec.y_batch;
  p.y_direction = dense_y ? spec.batch * n : spec.y_direction;
  p.state_batch = spec.state_batch == 0 ? n : spec.state_batch;
  p.state_direction = spec.state_batch == 0 ? spec.batch * n : spec.state_direction;
  return p;
}

}  // namespace

int64_t GatesOf(RecurrentCell cell) {
  return cell == RecurrentCell::kLstm ? 4 : cell == RecurrentCell::kGru ? 3 : 1;
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRecurrent(Toolbox& toolbox,
                                                        const RecurrentSpec& spec) {
  if (spec.type != DataType::kFp32 && spec.type != DataType::kFp16 &&
      spec.type != DataType::kBf16) {
    return absl::UnimplementedError(StrCat("a recurrent layer of ", ProtocolName(spec.type)));
  }
  const int64_t gates = GatesOf(spec.cell);
  NEREID_RETURN_IF_ERROR(
      CheckIndexRange({spec.steps, spec.batch, spec.hidden * gates * spec.hidden}));
  std::vector<RecurrentActivation> activations = spec.activations;
  if (activations.empty()) {
    NEREID_ASSIGN_OR_RETURN(activations, ActivationsOf(spec.cell, spec.directions, {}, {}, {}));
  }
  const BlockPlan shape = PlanOf(*toolbox.context(), spec);
  const std::string source = StrCat(
      DefineType("T", spec.type), DefineNumber("ROWS", shape.rows), DefineNumber("GATES", gates),
      DefineNumber("VECTOR", spec.hidden % 4 == 0 ? 4 : 1),
      DefineNumber("LINEAR_BEFORE_RESET", spec.linear_before_reset),
      DefineNumber("COUPLED", spec.couples_input_and_forget), "#define CLIP ((float)", spec.clip,
      ")\n", DefineNumber("CLUSTER", kClusterSize), DefineNumber("UNITS", shape.units),
      DefineNumber("WEIGHTS_AT", shape.weights_at), DefineActivations(activations, spec.directions),
      kCellText, shape.cluster ? kClusterText : kBlockText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "recurrent"));
  launch.grid_x = CeilDivide(spec.batch, shape.rows) * (shape.cluster ? kClusterSize : 1);
  launch.grid_y = spec.directions;
  launch.block = kThreads;
  launch.shared_bytes = shape.shared_bytes;
  launch.arguments = {Input(0),
                      Input(1),
                      Input(2),
                      Input(3),
                      Input(4),
                      Input(5),
                      Input(6),
                      Output(0),
                      Output(1),
                      Output(2),
                      Value(ParametersOf(spec))};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
