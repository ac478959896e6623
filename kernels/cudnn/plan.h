#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/cudnn/cudnn.h"

namespace nereid::engine {

// A finished operation graph, with the descriptors that it refers to.
struct OperationGraph {
  std::vector<std::unique_ptr<CudnnDescriptor>> kept;
  cudnnBackendDescriptor_t descriptor = nullptr;  // one of them
};

// What an engine may be, and take.
struct PlanDemands {
  bool fp32 = false;                   // operands are: no engine of less precision
  bool tensor_cores_for_fp32 = false;  // but for these
  size_t max_workspace_bytes = 0;
};

// An execution plan with what it was made of. Immutable; any thread may execute it.
struct CudnnPlan {
  std::shared_ptr<const OperationGraph> graph;
  CudnnDescriptor configuration;
  CudnnDescriptor plan;
  size_t workspace_bytes = 0;
};

// Plans for a graph by the library's suggestions, the best guess first, `count` at most: those
// engines that are compiled at run time, that do not give the same result every time, and that
// `demands` rule out are left aside. The library's Lock() is held.
absl::StatusOr<std::vector<std::shared_ptr<const CudnnPlan>>> SuggestPlans(
    const Cudnn& library, const std::shared_ptr<const OperationGraph>& graph,
    const PlanDemands& demands, size_t count);

// The plan that words name (kernels/cudnn/engine_config.h); an error when SuggestPlans() would not
// give it. The library's Lock() is held.
absl::StatusOr<std::shared_ptr<const CudnnPlan>> RestorePlan(
    const Cudnn& library, const std::shared_ptr<const OperationGraph>& graph,
    const PlanDemands& demands, const std::string& words);

}  // namespace nereid::engine
