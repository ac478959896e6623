#include "backends/cuda/tools/compile_tool.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "backends/cuda/device/cuda_api.h"
#include "backends/cuda/exec/difference.h"
#include "backends/cuda/onnx/importer.h"
#include "backends/cuda/passes/shape_inference.h"
#include "backends/cuda/plan/plan_folder.h"
#include "backends/cuda/reference/evaluator.h"
#include "backends/cuda/tools/tool_run.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

enum ExitStatus { kFine = 0, kFailed = 1, kDiffers = 2, kNeedsDevice = 3 };

// A folder keeps plans under the names the server gives them; an existing file is extended.
void OpenPlans(ToolRun& run) {
  PlanCacheOptions& where = run.options.engine.plan_cache;
  std::error_code error;
  if (std::filesystem::is_directory(run.options.save, error)) {
    where.folder = std::exchange(run.options.save, "");
  }
  where.shipped = run.options.save;
  run.options.engine.use_plans = false;  // the engine gets this cache, and opens none
  if (!where.enabled()) return;
  run.plans = PlanCache::Open(where, run.model->Digest());
  run.options.engine.toolbox.store = run.plans;
}

absl::Status SavePlans(const ToolRun& run) {
  if (run.plans == nullptr) return absl::OkStatus();
  run.plans->Save();
  if (!run.options.save.empty()) NEREID_RETURN_IF_ERROR(run.plans->SaveTo(run.options.save));
  const PlanCache::Counts counts = run.plans->counts();
  std::printf("plan: %s, %lld entries found, %lld new\n",
              run.options.save.empty() ? run.plans->path().c_str() : run.options.save.c_str(),
              static_cast<long long>(counts.found), static_cast<long long>(counts.remembered));
  return absl::OkStatus();
}

absl::Status Run(ToolRun& run) {
  const double start = Seconds();
  NEREID_ASSIGN_OR_RETURN(run.model, EngineModel::Load(run.options.model));
  std::printf("import: %.3f s, %zu nodes, %.1f MB of weights\n", Seconds() - start,
              run.model->graph().nodes.size(),
              static_cast<double>(run.model->weight_bytes()) * 1e-6);
  NEREID_ASSIGN_OR_RETURN(run.shape_sets, ShapeSets(run.model->graph(), run.options.shapes));
  OpenPlans(run);
  if (const auto cuda = LoadCuda(); cuda.ok() && run.options.arch.empty()) {
    NEREID_RETURN_IF_ERROR(RunOnDevice(run));
  } else {
    std::printf("device: none%s\n",
                cuda.ok() ? "" : StrCat(" (", Message(cuda.status()), ")").c_str());
    NEREID_RETURN_IF_ERROR(RunWithoutDevice(run));
  }
  return SavePlans(run);
}

}  // namespace

int RunCompileTool(std::string_view program, const std::vector<std::string>& arguments,
                   ToolOptions defaults) {
  absl::StatusOr<ToolOptions> options = ParseToolOptions(arguments, std::move(defaults));
  if (!options.ok()) {
    std::fprintf(stderr, "%s: %s; --help lists the options\n", std::string(program).c_str(),
                 std::string(Message(options.status())).c_str());
    return kFailed;
  }
  if (options->help) {
    std::fputs(ToolUsage(program).c_str(), stdout);
    return kFine;
  }
  ToolRun run;
  run.options = *std::move(options);
  const absl::Status status = Run(run);
  std::fflush(stdout);
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", std::string(program).c_str(),
                 std::string(Message(status)).c_str());
    return kFailed;
  }
  for (const std::string& what : run.undone) std::printf("needs a GPU: %s\n", what.c_str());
  if (run.differs) return kDiffers;
  return run.undone.empty() ? kFine : kNeedsDevice;
}

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

absl::StatusOr<std::vector<HostTensor>> ReferenceOutputs(const ToolRun& run,
                                                         absl::Span<const Shape> shapes,
                                                         absl::Span<const HostTensor> inputs) {
  const double start = Seconds();
  NEREID_ASSIGN_OR_RETURN(const ImportedModel imported, ImportOnnx(run.options.model));
  NEREID_ASSIGN_OR_RETURN(const Graph graph, Specialize(*imported.graph, shapes));
  NEREID_ASSIGN_OR_RETURN(std::vector<HostTensor> outputs, EvaluateGraph(graph, inputs));
  std::printf("reference: %.1f s\n", Seconds() - start);
  return outputs;
}

bool PrintDifferences(const ToolRun& run, std::string_view what,
                      absl::Span<const Difference> differences) {
  for (const Difference& difference : differences) {
    std::printf("%s%s%s\n", std::string(what).c_str(), Describe(difference).c_str(),
                difference.Exceeds(run.options.allowed())
                    ? StrCat("; allowed is ", run.options.allowed()).c_str()
                    : "");
  }
  return AnyExceeds(differences, run.options.allowed());
}

}  // namespace nereid::engine
