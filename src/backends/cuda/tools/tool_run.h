#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/cuda/exec/difference.h"
#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/plan/plan_cache.h"
#include "backends/cuda/tools/tool_options.h"

namespace nereid::engine {

// One run of the compile tool: the model, what is to be done with it, and what has been found.
struct ToolRun {
  ToolOptions options;
  std::shared_ptr<const EngineModel> model;
  std::vector<std::vector<Shape>> shape_sets;
  std::shared_ptr<PlanCache> plans;  // nullptr: none are read or written
  bool differs = false;              // an output is further off than allowed
  std::vector<std::string> undone;   // what was asked for and needs a GPU
};

// With the GPU that the options name, and without any.
absl::Status RunOnDevice(ToolRun& run);
absl::Status RunWithoutDevice(ToolRun& run);

// Loads and runs all shapes, as a server would, and notes in the plan what memory they take. With
// --memory twice, printing that beside what was estimated before: the second estimate is what the
// first load took.
absl::Status MeasureMemory(const ToolRun& run);

// What the model file says, by the reference executor: no pass has touched the graph.
absl::StatusOr<std::vector<HostTensor>> ReferenceOutputs(const ToolRun& run,
                                                         absl::Span<const Shape> shapes,
                                                         absl::Span<const HostTensor> inputs);

// Prints each; true when one exceeds what is allowed.
bool PrintDifferences(const ToolRun& run, std::string_view what,
                      absl::Span<const Difference> differences);

double Seconds();

}  // namespace nereid::engine
