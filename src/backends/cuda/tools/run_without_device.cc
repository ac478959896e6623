#include <cstdio>
#include <utility>

#include "backends/cuda/exec/difference.h"
#include "backends/cuda/exec/precision_simulation.h"
#include "backends/cuda/lower/legalize.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/tools/listing.h"
#include "backends/cuda/tools/tool_run.h"
#include "common/parallel_for.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr uint64_t kSeed = 1;

std::vector<LayerRow> LayersOf(const LoweredProgram& program) {
  std::vector<LayerRow> layers;
  for (const LoweredStep& step : program.steps) layers.push_back({step.name, &step.spec});
  return layers;
}

PlanBytes BytesOf(const LoweredProgram& program) {
  PlanBytes bytes;
  for (const BufferInfo& buffer : program.buffers) {
    if (buffer.kind == BufferKind::kWeight) bytes.weights += buffer.byte_size;
  }
  bytes.arena = PlanMemory(LifetimesOf(program)).byte_size;
  return bytes;
}

absl::Status CheckStrict(const Graph& graph, absl::Span<const LayerRow> layers) {
  if (const auto hidden = FindHidden(graph)) return RefuseHidden(*hidden);
  for (const LayerRow& layer : layers) {
    const auto* spec = std::get_if<HostSpec>(layer.spec);
    if (spec == nullptr) continue;
    return RefuseOnHost(StrCat(spec->op, " '", layer.name, "'"));
  }
  return absl::OkStatus();
}

// Compiles the kernels of a program for an architecture; library calls are left to the GPU.
absl::Status CompileKernels(ToolRun& run, const LoweredProgram& program) {
  NEREID_ASSIGN_OR_RETURN(
      const auto toolbox,
      Toolbox::Create(Context::CreateOffline(run.options.arch), run.options.engine.toolbox));
  const double start = Seconds();
  std::vector<absl::Status> made(program.steps.size());
  ParallelFor(program.steps.size(), [&](size_t i) {
    if (!RunsOnHost(program.steps[i].spec))
      made[i] = MakeOp(*toolbox, program.steps[i].spec).status();
  });
  int kernels = 0, library_calls = 0;
  for (size_t i = 0; i < made.size(); ++i) {
    if (RunsOnHost(program.steps[i].spec)) continue;
    if (made[i].ok()) {
      ++kernels;
    } else if (absl::IsUnavailable(made[i]) || absl::IsUnimplemented(made[i])) {
      ++library_calls;
    } else {
      return absl::Status(made[i].code(),
                          StrCat("'", program.steps[i].name, "': ", Message(made[i])));
    }
  }
  std::printf("kernels: %d steps for %s, %d compiled in %.3f s; %d steps are left to the GPU\n",
              kernels, run.options.arch.c_str(), toolbox->jit().compiled_count(), Seconds() - start,
              library_calls);
  return absl::OkStatus();
}

// The optimised graph against the file, and what the precision costs, all on the host.
absl::Status Verify(ToolRun& run, const Graph& graph, absl::Span<const Shape> shapes) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> inputs,
                          RandomInputs(run.model->graph(), shapes, run.options.ranges, kSeed));
  NEREID_ASSIGN_OR_RETURN(const SimulatedPrecision simulated,
                          SimulatePrecision(graph, run.options.engine.program.precision, inputs,
                                            run.options.allowed()));
  if (run.options.verify) {
    NEREID_ASSIGN_OR_RETURN(const auto want, ReferenceOutputs(run, shapes, inputs));
    const auto passes = CompareOutputs(run.model->graph(), simulated.exact, want);
    run.differs = PrintDifferences(run, "optimised: ", passes) || run.differs;
  }
  const std::string_view precision = PrecisionName(run.options.engine.program.precision.precision);
  run.differs =
      PrintDifferences(run, StrCat(precision, " on the host: "), simulated.outputs) || run.differs;
  if (simulated.offender) std::printf("first node to blame: %s\n", simulated.offender->c_str());
  return absl::OkStatus();
}

absl::Status RunShapes(ToolRun& run, absl::Span<const Shape> shapes) {
  const ToolOptions& options = run.options;
  const double start = Seconds();
  NEREID_ASSIGN_OR_RETURN(Graph graph, OptimizeFor(*run.model, shapes));
  const Graph optimised = graph;
  ConstantPool constants;
  NEREID_RETURN_IF_ERROR(Legalize(graph, options.engine.program.precision, constants));
  NEREID_ASSIGN_OR_RETURN(const LoweredProgram program,
                          LowerGraph(graph, LoweringFor(options.engine.program)));
  const std::vector<LayerRow> layers = LayersOf(program);
  size_t host_steps = 0;
  for (const LayerRow& layer : layers) host_steps += RunsOnHost(*layer.spec) ? 1 : 0;
  std::printf("shapes: %s\n", ShapesText(shapes).c_str());
  std::printf("lowering: %.3f s, %zu steps, %zu steps on the host\n", Seconds() - start,
              layers.size(), host_steps);
  PrintMemory(BytesOf(program), false);
  PrintLayers(layers, options.times_layers());
  PrintHostSteps(layers, FindHidden(graph));
  if (options.engine.program.strict) NEREID_RETURN_IF_ERROR(CheckStrict(graph, layers));
  if (!options.arch.empty()) NEREID_RETURN_IF_ERROR(CompileKernels(run, program));
  if (options.verify || options.check_precision) return Verify(run, optimised, shapes);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunWithoutDevice(ToolRun& run) {
  for (const std::vector<Shape>& shapes : run.shape_sets) {
    NEREID_RETURN_IF_ERROR(RunShapes(run, shapes));
  }
  const ToolOptions& options = run.options;
  if (options.profile) run.undone.push_back("times of layers (--profile)");
  if (options.bench > 0) run.undone.push_back("times of runs (--bench)");
  if (options.memory) run.undone.push_back("memory in use (--memory)");
  if (options.trace) run.undone.push_back("each layer's result (--trace)");
  if (options.verify) run.undone.push_back("difference of the GPU's results (--verify)");
  if (run.plans != nullptr && options.arch.empty()) {
    run.undone.push_back("a plan (--save); with --arch, its kernels are compiled without one");
  }
  return absl::OkStatus();
}

}  // namespace nereid::engine
