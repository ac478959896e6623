#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// One stage reduces the middle of [outer, n, inner]. The first applies BEFORE to each element, the
// last AFTER to each result.
constexpr char kText[] = R"cuda(
typedef ComputeType<T> C;
DEVICE float Exponential(float x) { return expf(x); }
DEVICE double Exponential(double x) { return exp(x); }
DEVICE double Exponential(s64 x) { return exp((double)x); }
template <typename X> DEVICE X LogAddExp(X a, X b) {
  const X peak = a > b ? a : b, low = a > b ? b : a;
  if (low == -kInfinity || peak == kInfinity) return peak;
  return peak + log1p(exp(low - peak));
}
struct Combine { DEVICE C operator()(C a, C b) const { return COMBINE; } };
DEVICE C Before(C x) { return BEFORE; }
DEVICE C After(C x, double count) { return AFTER; }

extern "C" __global__ void __launch_bounds__(THREADS) reduce_row(const T* x, U* y, u32 rows, u32 n, double count) {
  const u32 per_block = WARP ? THREADS / 32 : 1;
  const u32 row = blockIdx.x * per_block + (WARP ? threadIdx.x / 32 : 0);
  if (row >= rows) return;
  const u32 lane = WARP ? threadIdx.x % 32 : threadIdx.x, lanes = WARP ? 32 : THREADS;
  x += (u64)row * n;
  C value = IDENTITY;
  for (u32 i = lane; i < n; i += lanes) value = Combine()(value, Before(Widen(x[i])));
  value = WARP ? WarpReduce(value, Combine()) : BlockReduce(value, Combine());
  if (lane == 0) y[row] = Narrow<U>(After(value, count));
}

// Blocks of 32 columns and 8 shares of n.
extern "C" __global__ void __launch_bounds__(256) reduce_column(const T* x, U* y, u32 inner, u32 n, u32 tiles, double count) {
  __shared__ C share[8][33];
  const u32 outer = blockIdx.x / tiles, column = blockIdx.x % tiles * 32 + threadIdx.x % 32;
  const u32 slot = threadIdx.x / 32;
  C value = IDENTITY;
  if (column < inner) {
    const T* from = x + (u64)outer * n * inner + column;
    for (u32 i = slot; i < n; i += 8) value = Combine()(value, Before(Widen(from[(u64)i * inner])));
  }
  share[slot][threadIdx.x % 32] = value;
  __syncthreads();
  if (slot == 0 && column < inner) {
    for (int s = 1; s < 8; ++s) value = Combine()(value, share[s][threadIdx.x]);
    y[(u64)outer * inner + column] = Narrow<U>(After(value, count));
  }
}
)cuda";

constexpr char kArgText[] = R"cuda(
typedef ComputeType<T> C;
struct Best { C value; u32 index; };
// Whether b beats a; a NaN beats every number. An index of ~0 is none.
DEVICE bool Beats(const Best& b, const Best& a) {
  if (b.index == ~0u) return false;
  if (a.index == ~0u) return true;
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan || b_nan) return a_nan && b_nan ? (LAST ? b.index > a.index : b.index < a.index) : b_nan;
  if (b.value != a.value) return MIN ? b.value < a.value : b.value > a.value;
  return LAST ? b.index > a.index : b.index < a.index;
}
// THREADS lanes a result: 1 (neighbours take neighbouring columns), or a whole block.
extern "C" __global__ void __launch_bounds__(256) arg_reduce(const T* x, s64* y, u32 results, u32 n, Divisor inner) {
  const u32 result = LANES == 1 ? blockIdx.x * 256 + threadIdx.x : blockIdx.x;
  if (result >= results) return;
  const u32 lane = LANES == 1 ? 0 : threadIdx.x;
  u32 at;
  const u32 outer = inner.Split(result, &at);
  x += (u64)outer * n * inner.divisor + at;
  Best best;
  best.index = ~0u;
  best.value = 0;
  for (u32 i = lane; i < n; i += LANES) {
    Best next;
    next.value = Widen(x[(u64)i * inner.divisor]);
    next.index = i;
    if (Beats(next, best)) best = next;
  }
  if (LANES > 1) {
    __shared__ C values[256];
    __shared__ u32 indices[256];
    values[lane] = best.value;
    indices[lane] = best.index;
    for (int half = LANES / 2; half > 0; half >>= 1) {
      __syncthreads();
      if (lane < half) {
        Best a, b;
        a.value = values[lane]; a.index = indices[lane];
        b.value = values[lane + half]; b.index = indices[lane + half];
        if (Beats(b, a)) { values[lane] = b.value; indices[lane] = b.index; }
      }
    }
    __syncthreads();
    best.index = indices[0];
  }
  if (lane == 0) y[result] = best.index;
}
)cuda";

struct ReductionRow {
  Reduction reduction;
  const char* combine;
  const char* identity;
  const char* before;
  const char* after;
};
constexpr ReductionRow kRows[] = {
    {Reduction::kSum, "a + b", "0", "x", "x"},
    {Reduction::kMean, "a + b", "0", "x", "(C)(x / (C)count)"},
    {Reduction::kMax, "MaxOf()(a, b)", "LOWEST", "x", "x"},
    {Reduction::kMin, "MinOf()(a, b)", "HIGHEST", "x", "x"},
    {Reduction::kProd, "a * b", "1", "x", "x"},
    {Reduction::kL1, "a + b", "0", "(x < 0 ? -x : x)", "x"},
    {Reduction::kL2, "a + b", "0", "x * x", "(C)sqrt((FLOATING)x)"},
    {Reduction::kSumSquare, "a + b", "0", "x * x", "x"},
    {Reduction::kLogSum, "a + b", "0", "x", "(C)log((FLOATING)x)"},
    {Reduction::kLogSumExp, "LogAddExp(a, b)", "-kInfinity", "x", "x"},
};

struct ComputeRow {
  DataType type;  // in which sums are kept
  const char* lowest;
  const char* highest;
  const char* floating;
};
constexpr ComputeRow kFloatRow = {DataType::kFp32, "-kInfinity", "kInfinity", "float"};
constexpr ComputeRow kDoubleRow = {DataType::kFp64, "-kInfinity", "kInfinity", "double"};
constexpr ComputeRow kIntegerRow = {DataType::kInt64, "(-9223372036854775807ll - 1)",
                                    "9223372036854775807ll", "double"};

const ComputeRow& ComputeOf(DataType type) {
  switch (type) {
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kFp32:
      return kFloatRow;
    case DataType::kFp64:
      return kDoubleRow;
    default:
      return kIntegerRow;
  }
}

struct Stage {
  int64_t outer, n, inner;
};

// Groups of neighbouring reduced axes, innermost first; a long one over few results in two.
std::vector<Stage> Stages(const Shape& shape, std::vector<int64_t> axes) {
  std::vector<bool> reduced(shape.size(), false);
  for (const int64_t axis : axes) reduced[static_cast<size_t>(axis)] = true;
  std::vector<std::pair<int64_t, bool>> groups;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    if (!groups.empty() && groups.back().second == reduced[i]) {
      groups.back().first *= shape[i];
    } else {
      groups.emplace_back(shape[i], reduced[i]);
    }
  }
  std::vector<Stage> stages;
  int64_t inner = 1;
  for (size_t i = groups.size(); i-- > 0;) {
    if (!groups[i].second) {
      inner *= groups[i].first;
      continue;
    }
    int64_t outer = 1;
    for (size_t j = 0; j < i; ++j) outer *= groups[j].first;
    stages.push_back({outer, groups[i].first, inner});
  }
  if (stages.empty()) stages.push_back({ExtentProduct(shape), 1, 1});
  return stages;
}

constexpr int64_t kEnoughResults = 1024;
constexpr int64_t kLongRow = 16 << 10;

void SplitLongStages(std::vector<Stage>* stages) {
  std::vector<Stage> split;
  for (const Stage& stage : *stages) {
    int64_t parts = 1;
    if (stage.outer * stage.inner < kEnoughResults && stage.n >= kLongRow) {
      for (int64_t p = 2; p <= 1024; ++p) {
        if (stage.n % p == 0 && stage.n / p >= 512) parts = p;
      }
    }
    if (parts > 1) {
      split.push_back({stage.outer * parts, stage.n / parts, stage.inner});
      split.push_back({stage.outer, parts, stage.inner});
    } else {
      split.push_back(stage);
    }
  }
  *stages = std::move(split);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeReduce(Toolbox& toolbox, const ReduceSpec& spec) {
  if (KernelTypeName(spec.type).empty() || spec.type == DataType::kBool) {
    return absl::UnimplementedError(StrCat("reduction of ", ProtocolName(spec.type)));
  }
  const int64_t elements = ExtentProduct(spec.shape);
  NEREID_RETURN_IF_ERROR(CheckIndexRange({elements}));
  if (elements == 0) return absl::UnimplementedError("reduction of no elements");
  const auto* const row = std::find_if(std::begin(kRows), std::end(kRows), [&](const auto& r) {
    return r.reduction == spec.reduction;
  });
  const ComputeRow& compute = ComputeOf(spec.type);
  if (spec.reduction == Reduction::kLogSumExp && compute.type == DataType::kInt64) {
    return absl::UnimplementedError("LogSumExp of integers");
  }
  std::vector<Stage> stages = Stages(spec.shape, spec.axes);
  SplitLongStages(&stages);
  int64_t count = 1;
  for (const int64_t axis : spec.axes) count *= spec.shape[static_cast<size_t>(axis)];

  std::vector<KernelLaunch> launches;
  const size_t element = ElementByteSize(compute.type);
  // Intermediate results lie in two halves of the workspace, by turns.
  size_t half = 0;
  for (size_t i = 0; i + 1 < stages.size(); ++i) {
    half = std::max(half, static_cast<size_t>(stages[i].outer * stages[i].inner) * element);
  }
  half = (half + 255) / 256 * 256;
  for (size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    const bool first = i == 0, last = i + 1 == stages.size(), rows = stage.inner == 1;
    const bool warp = rows && stage.n <= 1024;
    const int threads = rows && !warp ? 512 : 256;
    const std::string source =
        StrCat(DefineType("T", first ? spec.type : compute.type),
               DefineType("U", last ? spec.type : compute.type), DefineNumber("THREADS", threads),
               DefineNumber("WARP", warp), "#define LOWEST ", compute.lowest, "\n#define HIGHEST ",
               compute.highest, "\n#define FLOATING ", compute.floating, "\n#define COMBINE ",
               row->combine, "\n#define IDENTITY (C)(", row->identity, ")\n#define BEFORE ",
               first ? row->before : "x", "\n#define AFTER ", last ? row->after : "x", "\n", kText);
    KernelLaunch launch;
    NEREID_ASSIGN_OR_RETURN(launch.function,
                            toolbox.jit().Get(source, rows ? "reduce_row" : "reduce_column"));
    launch.block = threads;
    launch.arguments = {first ? Input(0) : Scratch(((i - 1) % 2) * half),
                        last ? Output(0) : Scratch((i % 2) * half)};
    if (rows) {
      launch.grid_x = warp ? CeilDivide(stage.outer, threads / 32) : stage.outer;
      launch.arguments.push_back(Value(static_cast<uint32_t>(stage.outer)));
      launch.arguments.push_back(Value(static_cast<uint32_t>(stage.n)));
    } else {
      const int64_t tiles = CeilDivide(stage.inner, 32);
      launch.grid_x = stage.outer * tiles;
      launch.arguments.push_back(Value(static_cast<uint32_t>(stage.inner)));
      launch.arguments.push_back(Value(static_cast<uint32_t>(stage.n)));
      launch.arguments.push_back(Value(static_cast<uint32_t>(tiles)));
    }
    launch.arguments.push_back(Value(static_cast<double>(count)));
    launches.push_back(std::move(launch));
  }
  return KernelOp::Create(toolbox, std::move(launches), {.workspace_bytes = 2 * half});
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeArgReduce(Toolbox& toolbox,
                                                        const ArgReduceSpec& spec) {
  if (KernelTypeName(spec.type).empty()) {
    return absl::UnimplementedError(StrCat("ArgMax of ", ProtocolName(spec.type)));
  }
  NEREID_RETURN_IF_ERROR(CheckIndexRange({spec.outer * spec.n * spec.inner}));
  const bool columns = spec.inner >= 32 || spec.n <= 4;
  const std::string source =
      StrCat(DefineType("T", spec.type), DefineNumber("MIN", spec.min),
             DefineNumber("LAST", spec.last), DefineNumber("LANES", columns ? 1 : 256), kArgText);
  KernelLaunch launch;
  NEREID_ASSIGN_OR_RETURN(launch.function, toolbox.jit().Get(source, "arg_reduce"));
  const int64_t results = spec.outer * spec.inner;
  launch.grid_x = spec.n == 0 ? 0 : columns ? CeilDivide(results, 256) : results;
  launch.arguments = {Input(0), Output(0), Value(static_cast<uint32_t>(results)),
                      Value(static_cast<uint32_t>(spec.n)), Value(Divisor(spec.inner))};
  return KernelOp::Create(toolbox, std::move(launch), {});
}

}  // namespace nereid::engine
