#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/cuda/exec/engine.h"
#include "backends/cuda/exec/executor.h"
#include "backends/cuda/exec/memory_estimate.h"
#include "backends/cuda/exec/run_once.h"
#include "backends/cuda/tools/tool_run.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int kRounds = 2;  // the second captures graphs, when memory has grown to what it will be

double Megabytes(size_t bytes) { return static_cast<double>(bytes) * 1e-6; }

// Runs all shapes on one executor, as an instance of the server does; notes what each takes.
absl::Status RunAll(const ToolRun& run, Engine& engine, Executor& executor, MemoryRecord& record) {
  for (int round = 0; round < kRounds; ++round) {
    for (const std::vector<Shape>& shapes : run.shape_sets) {
      NEREID_ASSIGN_OR_RETURN(const auto program, engine.ProgramFor(shapes));
      NEREID_RETURN_IF_ERROR(executor.Bind(program));
      NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> inputs,
                              RandomInputs(run.model->graph(), shapes, run.options.ranges, kSeed));
      NEREID_RETURN_IF_ERROR(FeedInputs(executor, inputs));
      for (int i = 0; i < 2; ++i) {
        const absl::Status ran = executor.Run();
        if (!ran.ok() && !executor.refused_data()) return ran;
      }
      NEREID_RETURN_IF_ERROR(executor.stream().Synchronize());
      record.Note(ShapesKey(*program), MemoryOf(*program, executor.bound_graph_bytes()));
    }
  }
  record.shared = engine.shared_bytes();
  return absl::OkStatus();
}

void Print(const char* load, const EngineMemory& estimate, const EngineMemory& used,
           size_t fallen) {
  const auto want = static_cast<double>(used.device_bytes(1));
  std::printf("memory, %s load: estimate %.1f MB (%s), used %.1f MB, difference %+.1f %%\n", load,
              Megabytes(estimate.device_bytes(1)), estimate.measured ? "measured" : "guessed",
              Megabytes(used.device_bytes(1)),
              100 * (static_cast<double>(estimate.device_bytes(1)) - want) / std::max(want, 1.0));
  for (const auto& [name, memory] : {std::pair("estimate", estimate), std::pair("used", used)}) {
    std::printf("  %-8s weights and code %.2f, arena and scratch %.2f, graphs %.2f MB\n", name,
                Megabytes(memory.shared), Megabytes(memory.arena), Megabytes(memory.graphs));
  }
  std::printf("  the GPU's free memory fell by %.1f MB, code of the libraries included\n",
              Megabytes(fallen));
}

// `load`: what to call it in the comparison that is printed; nullptr: none is.
absl::Status Load(const ToolRun& run, const char* load, Context& context,
                  const MemoryNotes& notes) {
  NEREID_ASSIGN_OR_RETURN(
      const EngineMemory estimate,
      EstimateMemory(*run.model, run.shape_sets, run.options.engine, {}, notes.Read()));
  NEREID_ASSIGN_OR_RETURN(const size_t before, context.FreeBytes());
  NEREID_ASSIGN_OR_RETURN(const auto engine,
                          Engine::Create(run.model, run.options.device, run.options.engine));
  NEREID_ASSIGN_OR_RETURN(const auto executor, Executor::Create(engine->context(), {}));
  MemoryRecord record;
  NEREID_RETURN_IF_ERROR(RunAll(run, *engine, *executor, record));
  notes.KeepInPlan(record);
  NEREID_ASSIGN_OR_RETURN(const size_t after, context.FreeBytes());
  EngineMemory used;
  used.shared = engine->shared_bytes();
  used.arena = executor->arena_bytes();
  used.graphs = executor->graph_bytes();
  if (load != nullptr) Print(load, estimate, used, before - std::min(before, after));
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureMemory(const ToolRun& run) {
  NEREID_ASSIGN_OR_RETURN(const std::shared_ptr<Context> context,
                          Context::Create(run.options.device));
  const MemoryNotes notes(
      {run.options.model, context->fingerprint(), MemoryOptionsText(run.options.engine, {})},
      run.plans);
  if (!run.options.memory) return Load(run, nullptr, *context, notes);
  NEREID_RETURN_IF_ERROR(Load(run, "first", *context, notes));
  return Load(run, "second", *context, notes);
}

}  // namespace nereid::engine
