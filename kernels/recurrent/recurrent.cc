#include "kernels/recurrent/recurrent.h"

#include <algorithm>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// A block walks all steps of ROWS sequences; states stay in shared memory, the recurrent weights in
// the caches. A warp makes one gate's product for all ROWS sequences at a time, lanes side by side
// along the weights' row.
constexpr char kText[] = R"cuda(
struct Parameters { s32 steps, batch, hidden, reverse; s64 x_step, x_batch, y_step, y_batch; };
extern __shared__ float shared[];
DEVICE float Sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
// gates[b][first + j] = Σ weights[first + j][i] · state[b][i] for j < count.
DEVICE void Multiply(const T* weights, const float* state, float* gates, s32 first, s32 count, s32 hidden) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  for (s32 j = warp; j < count; j += warps) {
    const T* row = weights + (s64)(first + j) * hidden;
    float sum[ROWS] = {};
    for (s32 i = lane; i < hidden; i += 32) {
      const float w = Widen(row[i]);
      #pragma unroll
      for (int b = 0; b < ROWS; ++b) sum[b] += w * state[b * hidden + i];
    }
    #pragma unroll
    for (int b = 0; b < ROWS; ++b) {
      const float total = WarpReduce(sum[b], AddOf());
      if (lane == 0) gates[b * GATES * hidden + first + j] = total;
    }
  }
}
extern "C" __global__ void __launch_bounds__(512) recurrent(
    const T* x, const T* weights, const T* hidden_bias, const T* initial_h, const T* initial_c, const s32* lengths,
    const T* peephole, T* y, T* last_h, T* last_c, const __grid_constant__ Parameters p) {
  const s32 n = p.hidden, first_row = blockIdx.x * ROWS;
  float* h = shared;
  float* c = h + ROWS * n;
  float* gates = c + ROWS * n;
  for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
    const s32 row = first_row + i / n;
    const bool real = row < p.batch;
    h[i] = real && initial_h ? Widen(initial_h[(s64)row * n + i % n]) : 0.0f;
    c[i] = real && initial_c ? Widen(initial_c[(s64)row * n + i % n]) : 0.0f;
  }
  __syncthreads();
  for (s32 s = 0; s < p.steps; ++s) {
    // GRU without linear_before_reset multiplies its third gate only after the reset.
    const bool split = GATES == 3 && !LINEAR_BEFORE_RESET;
    Multiply(weights, h, gates, 0, (split ? 2 : GATES) * n, n);
    __syncthreads();
    if (split) {
      for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
        const s32 b = i / n, at = i % n, row = first_row + b;
        const s32 length = row >= p.batch ? 0 : lengths ? lengths[row] : p.steps;
        if (s >= length) { c[i] = 0; continue; }
        const s64 from = (s64)(p.reverse ? length - 1 - s : s) * p.x_step + row * p.x_batch;
        c[i] = Sigmoid(gates[b * 3 * n + n + at] + Widen(x[from + n + at])) * h[i];
      }
      __syncthreads();
      Multiply(weights, c, gates, 2 * n, n, n);
      __syncthreads();
    }
    for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
      const s32 b = i / n, at = i % n, row = first_row + b;
      if (row >= p.batch) continue;
      const s32 length = lengths ? lengths[row] : p.steps;
      if (s >= length) {
        // A sequence that has ended keeps its state; what it would give is zero.
        if (y) y[s * p.y_step + row * p.y_batch + at] = Narrow<T>(0.0f);
        continue;
      }
      const s32 step = p.reverse ? length - 1 - s : s;
      const T* in = x + step * p.x_step + row * p.x_batch;
      const float* own = gates + b * GATES * n;
      float next;
      if (GATES == 4) {
        const float old = c[i];
        float gi = own[at] + Widen(in[at]), go = own[n + at] + Widen(in[n + at]);
        float gf = own[2 * n + at] + Widen(in[2 * n + at]);
        const float gc = tanhf(own[3 * n + at] + Widen(in[3 * n + at]));
        if (peephole) {
          gi += Widen(peephole[at]) * old;
          gf += Widen(peephole[2 * n + at]) * old;
        }
        const float cell = Sigmoid(gf) * old + Sigmoid(gi) * gc;
        if (peephole) go += Widen(peephole[n + at]) * cell;
        c[i] = cell;
        next = Sigmoid(go) * tanhf(cell);
      } else {
        const float z = Sigmoid(own[at] + Widen(in[at])), r = Sigmoid(own[n + at] + Widen(in[n + at]));
        const float recurrent = own[2 * n + at] + (hidden_bias ? Widen(hidden_bias[at]) : 0.0f);
        const float candidate = tanhf(Widen(in[2 * n + at]) + (LINEAR_BEFORE_RESET ? r * recurrent : recurrent));
        next = (1.0f - z) * candidate + z * h[i];
      }
      h[i] = next;
      if (y) y[step * p.y_step + row * p.y_batch + at] = Narrow<T>(next);
    }
    __syncthreads();
  }
  for (s32 i = threadIdx.x; i < ROWS * n; i += blockDim.x) {
    const s32 row = first_row + i / n;
    if (row >= p.batch) continue;
    if (last_h) last_h[(s64)row * n + i % n] = Narrow<T>(h[i]);
    if (last_c && GATES == 4) last_c[(s64)row * n + i % n] = Narrow<T>(c[i]);
  }
}
)cuda";

struct Parameters {
  int32_t steps, batch, hidden, reverse;
  int64_t x_step, x_batch, y_step, y_batch;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeRecurrent(Toolbox& toolbox,
                                                        const RecurrentSpec& spec) {
  if (spec.type != DataType::kFp32 && spec.type != DataType::kFp16 &&
      spec.type != DataType::kBf16) {
    return absl::UnimplementedError(StrCat("a recurrent layer of ", ProtocolName(spec.type)));
  }
  const int64_t gates = spec.cell == RecurrentCell::kLstm ? 4 : 3;
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.steps, spec.batch, spec.hidden * gates}));
  // More sequences a block read the weights less often; as many as fill the GPU and fit.
  int64_t rows = 8;
  const auto shared = [&] { return static_cast<size_t>(rows * spec.hidden * (2 + gates) * 4); };
  while (rows > 1 && (CeilDivide(spec.batch, rows) < toolbox.context()->multiprocessors() ||
                      shared() > toolbox.context()->max_shared_bytes())) {
    rows /= 2;
  }
  Parameters p{};
  p.steps = static_cast<int32_t>(spec.steps);
  p.batch = static_cast<int32_t>(spec.batch);
  p.hidden = static_cast<int32_t>(spec.hidden);
  p.reverse = spec.reverse ? 1 : 0;
  p.x_step = spec.x_step == 0 ? spec.batch * gates * spec.hidden : spec.x_step;
  p.x_batch = spec.x_batch == 0 ? gates * spec.hidden : spec.x_batch;
  p.y_step = spec.y_step == 0 ? spec.batch * spec.hidden : spec.y_step;
  p.y_batch = spec.y_batch == 0 ? spec.hidden : spec.y_batch;
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineNumber("ROWS", rows), DefineNumber("GATES", gates),
             DefineNumber("LINEAR_BEFORE_RESET", spec.linear_before_reset), kText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "recurrent"));
  launch.grid_x = CeilDivide(spec.batch, rows);
  launch.block = 512;
  launch.shared_bytes = shared();
  launch.arguments = {Input(0), Input(1),  Input(2),  Input(3),  Input(4), Input(5),
                      Input(6), Output(0), Output(1), Output(2), Value(p)};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
