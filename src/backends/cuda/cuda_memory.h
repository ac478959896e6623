#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "backends/cuda/cuda_options.h"
#include "nereid/memory_estimate.h"
#include "nereid/model_config.h"

namespace nereid::cuda {

// What a model will take on each of its GPUs, found by planning the batches that are run at load
// without a GPU: every form of a weight once, an arena for each instance. Left out is what only the
// libraries know: their scratch memory, and the driver's for graphs. Where the configuration leaves
// extents open, only the weights are known, as the file has them.
absl::StatusOr<MemoryEstimate> EstimateModelMemory(const ModelConfig& config,
                                                   const std::string& path,
                                                   const CudaOptions& options);

}  // namespace nereid::cuda
