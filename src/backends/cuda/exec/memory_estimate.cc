#include "backends/cuda/exec/memory_estimate.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/exec/weight_store.h"
#include "backends/cuda/lower/legalize.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Where nothing was measured. What wins libraries' races on an H200 wants no scratch memory for
// most models, some hundred KB for small images and single sequences, 8 MB for ResNet-50 at batch
// 128 (1.6 % of what it takes); code of a kernel is 5 to 40 KiB; a graph's node is a launch with
// its parameters.
constexpr size_t kGuessedLibraryWorkspace = size_t{512} << 10;
constexpr size_t kGuessedCodeBytes = size_t{16} << 10;
constexpr size_t kGuessedNodeBytes = size_t{8} << 10;
constexpr size_t kStagingAlignment = 256;

bool CallsLibrary(const OpSpec& spec) {
  return std::holds_alternative<ConvolutionSpec>(spec) || std::holds_alternative<GemmSpec>(spec) ||
         std::holds_alternative<MatMulSpec>(spec);
}

size_t TensorBytes(const Placement& placement) {
  if (placement.buffer == kNoBuffer) return 0;
  return static_cast<size_t>(ElementsOf(placement.shape)) * ElementByteSize(placement.type);
}

// Adds programs up as an engine holds them: each weight once, those that are new to a program in
// one block.
class Planner {
 public:
  Planner(const EngineModel& model, const EngineOptions& options)
      : model_(model), options_(options) {}

  absl::StatusOr<ProgramMemory> Add(const std::vector<Shape>& shapes) {
    NEREID_ASSIGN_OR_RETURN(Graph graph, OptimizeFor(model_, shapes));
    NEREID_RETURN_IF_ERROR(Legalize(graph, options_.program.precision, constants_));
    NEREID_ASSIGN_OR_RETURN(LoweredProgram program,
                            LowerGraph(graph, LoweringFor(options_.program)));
    AddWeights(program);
    ProgramMemory memory;
    memory.arena = BytesTaken(PlanMemory(LifetimesOf(program)).byte_size);
    for (const LoweredStep& step : program.steps) AddStep(step.spec, memory);
    for (const auto* tensors : {&program.inputs, &program.outputs}) {
      for (const Placement& tensor : *tensors) memory.staging += StagingRoom(TensorBytes(tensor));
    }
    programs_.push_back(std::move(program));
    return memory;
  }

  size_t shared_bytes() const { return weight_bytes_ + kernels_.size() * kGuessedCodeBytes; }

 private:
  void AddWeights(const LoweredProgram& program) {
    size_t bytes = 0;
    for (const BufferInfo& buffer : program.buffers) {
      if (buffer.kind != BufferKind::kWeight) continue;
      const WeightUse& use = program.weights[static_cast<size_t>(buffer.index)];
      const bool is_new =
          weights_.emplace(use.tensor.bytes(), use.tensor.element_count(), use.type, use.form)
              .second;
      if (is_new) bytes += WeightBlock::RoomFor(buffer.byte_size);
    }
    weight_bytes_ += BytesTaken(bytes);
  }

  void AddStep(const OpSpec& spec, ProgramMemory& memory) {
    if (RunsOnHost(spec)) return;
    memory.graphs += kGuessedNodeBytes;
    if (CallsLibrary(spec)) {
      memory.workspace = std::min(kGuessedLibraryWorkspace, options_.toolbox.max_workspace_bytes);
    } else {
      kernels_.insert(StrCat(KindOf(spec), " ", DescribeSpec(spec)));
    }
  }

  const EngineModel& model_;
  const EngineOptions& options_;
  ConstantPool constants_;
  std::vector<LoweredProgram> programs_;  // keep the constants, hence their addresses
  std::set<std::tuple<const void*, int64_t, DataType, WeightForm>> weights_;
  std::set<std::string> kernels_;
  size_t weight_bytes_ = 0;
};

EngineMemory Sum(size_t shared, const std::vector<ProgramMemory>& programs,
                 const GraphOptions& options) {
  EngineMemory sum;
  sum.shared = shared;
  size_t arena = 0, workspace = 0;
  for (const ProgramMemory& program : programs) {
    arena = std::max(arena, program.arena);
    workspace = std::max(workspace, program.workspace);
    sum.graphs += program.graphs;
    sum.staging = std::max(sum.staging, program.staging);
  }
  sum.arena = arena + workspace;
  sum.graphs = options.capture ? std::min(sum.graphs, options.max_bytes) : 0;
  return sum;
}

}  // namespace

std::string MemoryOptionsText(const EngineOptions& options, const GraphOptions& graphs) {
  const PrecisionOptions& precision = options.program.precision;
  std::string text =
      StrCat(PrecisionName(precision.precision), options.toolbox.race ? " race" : " heuristic",
             " of ", options.toolbox.max_candidates, " within ",
             options.toolbox.max_workspace_bytes, graphs.capture ? " graphs" : "");
  for (const auto& [node, own] : precision.layers) {
    StrAppend(&text, " ", PrecisionName(own), " ", node);
  }
  return text;
}

size_t StagingRoom(size_t bytes) {
  return (bytes + kStagingAlignment - 1) / kStagingAlignment * kStagingAlignment;
}

size_t StagingRoom(const Program& program) {
  size_t bytes = 0;
  for (const auto* tensors : {&program.inputs(), &program.outputs()}) {
    for (const ProgramTensor& tensor : *tensors) bytes += StagingRoom(tensor.byte_size);
  }
  return bytes;
}

ProgramMemory MemoryOf(const Program& program, size_t graph_bytes) {
  return {BytesTaken(program.bytes().arena), BytesTaken(program.bytes().workspace), graph_bytes,
          StagingRoom(program)};
}

std::string ShapesKey(const Program& program) {
  std::vector<Shape> shapes;
  for (const ProgramTensor& input : program.inputs()) shapes.push_back(input.shape);
  return ShapesKey(shapes);
}

absl::StatusOr<EngineMemory> EstimateMemory(const EngineModel& model,
                                            const std::vector<std::vector<Shape>>& shape_sets,
                                            const EngineOptions& options,
                                            const GraphOptions& graphs,
                                            const MemoryRecord& record) {
  std::vector<ProgramMemory> programs;
  if (shape_sets.empty()) {
    for (const auto& [shapes, memory] : record.programs) programs.push_back(memory);
    const bool known = record.shared > 0;
    EngineMemory sum =
        Sum(known ? record.shared : BytesTaken(model.weight_bytes()), programs, graphs);
    sum.measured = known;
    return sum;
  }
  const auto is_known = [&](const std::vector<Shape>& shapes) {
    return record.programs.contains(ShapesKey(shapes));
  };
  const bool all_known = record.shared > 0 && std::ranges::all_of(shape_sets, is_known);
  Planner planner(model, options);
  for (const std::vector<Shape>& shapes : shape_sets) {
    ProgramMemory memory;
    if (!all_known) {
      NEREID_ASSIGN_OR_RETURN(memory, planner.Add(shapes));
    }
    const auto found = record.programs.find(ShapesKey(shapes));
    programs.push_back(found == record.programs.end() ? memory : found->second);
  }
  EngineMemory sum =
      Sum(all_known ? record.shared : std::max(record.shared, planner.shared_bytes()), programs,
          graphs);
  sum.measured = all_known;
  return sum;
}

}  // namespace nereid::engine
