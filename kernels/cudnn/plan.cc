#include "kernels/cudnn/plan.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/cudnn/engine_config.h"

namespace nereid::engine {
namespace {

// Engine configurations the library suggests, the best guess first.
absl::StatusOr<std::vector<CudnnDescriptor>> Suggestions(const Cudnn& library,
                                                         cudnnBackendDescriptor_t graph) {
  constexpr int64_t kMax = 64;
  std::vector<CudnnDescriptor> all;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    NEREID_ASSIGN_OR_RETURN(
        CudnnDescriptor heuristic,
        CudnnDescriptor::Create(library.api(), CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR));
    NEREID_RETURN_IF_ERROR(
        heuristic.Set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, graph));
    NEREID_RETURN_IF_ERROR(heuristic.Set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode));
    if (!heuristic.Finalize().ok()) continue;
    std::vector<CudnnDescriptor> found;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < kMax; ++i) {
      NEREID_ASSIGN_OR_RETURN(
          CudnnDescriptor one,
          CudnnDescriptor::Create(library.api(), CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
      raw.push_back(one.get());
      found.push_back(std::move(one));
    }
    int64_t count = 0;
    const cudnnStatus_t got = library.api().cudnnBackendGetAttribute(
        heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, kMax, &count,
        raw.data());
    if (got != CUDNN_STATUS_SUCCESS) continue;
    count = std::min(count, kMax);
    std::move(found.begin(), found.begin() + count, std::back_inserter(all));
  }
  return all;
}

// True when the engine is compiled at run time, or may give what its type's precision forbids.
absl::StatusOr<bool> Rejected(const Cudnn& library, const CudnnDescriptor& configuration,
                              const PlanDemands& demands) {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor engine,
                          CudnnDescriptor::Create(library.api(), CUDNN_BACKEND_ENGINE_DESCRIPTOR));
  cudnnBackendDescriptor_t raw = engine.get();
  int64_t count = 0;
  NEREID_RETURN_IF_ERROR(CudnnStatus(
      library.api().cudnnBackendGetAttribute(configuration.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw),
      "cudnnBackendGetAttribute"));
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  NEREID_RETURN_IF_ERROR(
      CudnnStatus(library.api().cudnnBackendGetAttribute(
                      engine.get(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                      static_cast<int64_t>(notes.size()), &count, notes.data()),
                  "cudnnBackendGetAttribute"));
  for (int64_t i = 0; i < std::min<int64_t>(count, static_cast<int64_t>(notes.size())); ++i) {
    const cudnnBackendNumericalNote_t note = notes[static_cast<size_t>(i)];
    if (note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) return true;
    if (!demands.fp32) continue;
    if (note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION ||
        note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS ||
        (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && !demands.tensor_cores_for_fp32)) {
      return true;
    }
  }
  std::array<cudnnBackendBehaviorNote_t, CUDNN_BEHAVIOR_NOTE_TYPE_COUNT> behavior{};
  NEREID_RETURN_IF_ERROR(
      CudnnStatus(library.api().cudnnBackendGetAttribute(
                      engine.get(), CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                      static_cast<int64_t>(behavior.size()), &count, behavior.data()),
                  "cudnnBackendGetAttribute"));
  for (int64_t i = 0; i < std::min<int64_t>(count, static_cast<int64_t>(behavior.size())); ++i) {
    if (behavior[static_cast<size_t>(i)] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) return true;
  }
  return false;
}

// A plan of that configuration. UNIMPLEMENTED when the GPU has none, or it wants too much scratch
// memory.
absl::StatusOr<std::shared_ptr<const CudnnPlan>> MakePlan(
    const Cudnn& library, const std::shared_ptr<const OperationGraph>& graph,
    CudnnDescriptor configuration, const PlanDemands& demands) {
  NEREID_ASSIGN_OR_RETURN(
      CudnnDescriptor plan,
      CudnnDescriptor::Create(library.api(), CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(
      plan.Set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, library.handle()));
  NEREID_RETURN_IF_ERROR(plan.Set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration));
  NEREID_RETURN_IF_ERROR(plan.Finalize());
  NEREID_ASSIGN_OR_RETURN(const int64_t bytes,
                          plan.GetInt(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
  if (bytes > static_cast<int64_t>(demands.max_workspace_bytes)) {
    return absl::UnimplementedError(StrCat(bytes, " bytes of scratch memory"));
  }
  return std::make_shared<const CudnnPlan>(
      CudnnPlan{graph, std::move(configuration), std::move(plan), static_cast<size_t>(bytes)});
}

}  // namespace

absl::StatusOr<std::vector<std::shared_ptr<const CudnnPlan>>> SuggestPlans(
    const Cudnn& library, const std::shared_ptr<const OperationGraph>& graph,
    const PlanDemands& demands, size_t count) {
  NEREID_ASSIGN_OR_RETURN(auto suggestions, Suggestions(library, graph->descriptor));
  std::vector<std::shared_ptr<const CudnnPlan>> plans;
  for (CudnnDescriptor& suggestion : suggestions) {
    if (plans.size() >= count) break;
    const auto rejected = Rejected(library, suggestion, demands);
    if (!rejected.ok() || *rejected) continue;
    auto plan = MakePlan(library, graph, std::move(suggestion), demands);
    if (plan.ok()) plans.push_back(*std::move(plan));
  }
  return plans;
}

absl::StatusOr<std::shared_ptr<const CudnnPlan>> RestorePlan(
    const Cudnn& library, const std::shared_ptr<const OperationGraph>& graph,
    const PlanDemands& demands, const std::string& words) {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor configuration,
                          MakeEngineConfig(library.api(), graph->descriptor, words));
  NEREID_ASSIGN_OR_RETURN(const bool rejected, Rejected(library, configuration, demands));
  if (rejected) return absl::InvalidArgumentError("the configuration is none the race would allow");
  return MakePlan(library, graph, std::move(configuration), demands);
}

}  // namespace nereid::engine
