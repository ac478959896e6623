#include <algorithm>
#include <cstdio>
#include <utility>

#include "backends/cuda/device/event.h"
#include "backends/cuda/exec/difference.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/exec/executor.h"
#include "backends/cuda/exec/precision_guard.h"
#include "backends/cuda/exec/run_once.h"
#include "backends/cuda/exec/trace.h"
#include "backends/cuda/tools/listing.h"
#include "backends/cuda/tools/tool_run.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr int kWarmRuns = 3;
constexpr int kProfileRounds = 5;
constexpr int kProfileRuns = 100;
constexpr uint64_t kSeed = 1;

absl::StatusOr<float> MedianMilliseconds(Executor& executor, int runs,
                                         const std::shared_ptr<Context>& context, bool eager) {
  NEREID_ASSIGN_OR_RETURN(const auto begin, Event::Create(context, true));
  NEREID_ASSIGN_OR_RETURN(const auto end, Event::Create(context, true));
  std::vector<float> times;
  for (int i = 0; i < runs + kWarmRuns; ++i) {
    NEREID_RETURN_IF_ERROR(begin->Record(executor.stream().handle()));
    NEREID_RETURN_IF_ERROR(eager ? executor.RunEagerly() : executor.Run());
    NEREID_RETURN_IF_ERROR(end->Record(executor.stream().handle()));
    NEREID_RETURN_IF_ERROR(end->Synchronize());
    NEREID_ASSIGN_OR_RETURN(const float elapsed, end->MillisecondsSince(*begin));
    if (i >= kWarmRuns) times.push_back(elapsed);
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

absl::Status Bench(Executor& executor, int runs, const std::shared_ptr<Context>& context) {
  NEREID_ASSIGN_OR_RETURN(const float eager, MedianMilliseconds(executor, runs, context, true));
  NEREID_ASSIGN_OR_RETURN(const float graph, MedianMilliseconds(executor, runs, context, false));
  std::printf("eager %.4f ms, %s %.4f ms\n", static_cast<double>(eager),
              executor.has_graph() ? "graph" : "no graph", static_cast<double>(graph));
  return absl::OkStatus();
}

absl::Status PrintProgram(const ToolRun& run, Executor& executor) {
  const Program& program = executor.program();
  std::vector<LayerRow> layers;
  for (const ProgramStep& step : program.steps()) layers.push_back({step.name, &step.spec});
  if (run.options.times_layers()) {
    NEREID_ASSIGN_OR_RETURN(const std::vector<float> times, executor.Profile(kProfileRounds));
    for (size_t i = 0; i < layers.size(); ++i) layers[i].milliseconds = times[i];
    PrintLayers(layers, true);
  }
  PrintHostSteps(layers, program.hidden());
  return absl::OkStatus();
}

absl::Status Verify(ToolRun& run, Engine& engine, const Executor& executor,
                    absl::Span<const Shape> shapes, absl::Span<const HostTensor> inputs) {
  if (run.options.verify) {
    NEREID_ASSIGN_OR_RETURN(const auto want, ReferenceOutputs(run, shapes, inputs));
    NEREID_ASSIGN_OR_RETURN(const auto got, FetchOutputs(executor));
    const auto differences = CompareOutputs(run.model->graph(), got, want);
    run.differs = PrintDifferences(run, "", differences) || run.differs;
  }
  if (IsExact(run.options.engine.program.precision)) return absl::OkStatus();
  NEREID_ASSIGN_OR_RETURN(const PrecisionReport report,
                          ComparePrecision(engine, inputs, run.options.allowed()));
  run.differs = PrintDifferences(run, "from fp32: ", report.outputs) || run.differs;
  if (report.offender) std::printf("first node to blame: %s\n", report.offender->c_str());
  return absl::OkStatus();
}

absl::Status Trace(ToolRun& run, Engine& engine, absl::Span<const HostTensor> inputs) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<Difference> layers, TraceNodes(engine, inputs));
  const Difference* first = nullptr;
  for (const Difference& layer : layers) {
    std::printf("trace: %s\n", Describe(layer).c_str());
    if (first == nullptr && layer.Exceeds(run.options.allowed())) first = &layer;
  }
  if (first == nullptr) return absl::OkStatus();
  std::printf("first layer that is off: %s\n", first->name.c_str());
  run.differs = true;
  return absl::OkStatus();
}

// Whether the program has to run to the end for what is asked.
bool NeedsResults(const ToolOptions& options) {
  return options.verify || options.check_precision || options.trace || options.bench > 0 ||
         options.times_layers();
}

absl::Status RunShapes(ToolRun& run, Engine& engine, absl::Span<const Shape> shapes) {
  const ToolOptions& options = run.options;
  const double start = Seconds();
  NEREID_ASSIGN_OR_RETURN(const auto program, engine.ProgramFor(shapes));
  std::printf("shapes: %s\n", ShapesText(shapes).c_str());
  std::printf("build: %.3f s, %zu steps, %d kernels, %d steps on the host\n", Seconds() - start,
              program->steps().size(), program->kernel_count(), program->host_step_count());
  PrintMemory(program->bytes(), true);
  NEREID_ASSIGN_OR_RETURN(const auto executor, Executor::Create(engine.context(), {}));
  NEREID_RETURN_IF_ERROR(executor->Bind(program));
  NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> inputs,
                          RandomInputs(run.model->graph(), shapes, options.ranges, kSeed));
  NEREID_RETURN_IF_ERROR(FeedInputs(*executor, inputs));
  const absl::Status ran = executor->Run();
  if (executor->refused_data() && !NeedsResults(options)) {
    std::printf("random inputs are refused: %s; --range gives others\n",
                std::string(Message(ran)).c_str());
    return PrintProgram(run, *executor);
  }
  NEREID_RETURN_IF_ERROR(ran);
  NEREID_RETURN_IF_ERROR(executor->stream().Synchronize());
  if (options.verify || options.check_precision) {
    NEREID_RETURN_IF_ERROR(Verify(run, engine, *executor, shapes, inputs));
  }
  if (options.trace) NEREID_RETURN_IF_ERROR(Trace(run, engine, inputs));
  const int runs = options.bench > 0 || !options.profile ? options.bench : kProfileRuns;
  if (runs > 0) NEREID_RETURN_IF_ERROR(Bench(*executor, runs, engine.context()));
  return PrintProgram(run, *executor);
}

absl::Status RunAllShapes(ToolRun& run) {
  const double start = Seconds();
  NEREID_ASSIGN_OR_RETURN(const auto engine,
                          Engine::Create(run.model, run.options.device, run.options.engine));
  std::printf("device: %s, opened in %.3f s\n", engine->context()->name().c_str(),
              Seconds() - start);
  for (const std::vector<Shape>& shapes : run.shape_sets) {
    NEREID_RETURN_IF_ERROR(RunShapes(run, *engine, shapes));
  }
  return absl::OkStatus();
}

}  // namespace

// What a comparison calls the first load has to be that.
absl::Status RunOnDevice(ToolRun& run) {
  if (run.options.memory) NEREID_RETURN_IF_ERROR(MeasureMemory(run));
  NEREID_RETURN_IF_ERROR(RunAllShapes(run));
  const bool notes = run.plans != nullptr && !run.options.memory;
  return notes ? MeasureMemory(run) : absl::OkStatus();
}

}  // namespace nereid::engine
