#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "backends/cuda/cuda_options.h"
#include "nereid/memory_estimate.h"
#include "nereid/model_config.h"

namespace nereid::cuda {

// What a model will take on each of its GPUs, found by planning its greatest batch without a GPU:
// weights once, an arena for each instance. Where the configuration leaves extents open, only the
// weights are known.
absl::StatusOr<MemoryEstimate> EstimateModelMemory(const ModelConfig& config,
                                                   const std::string& path,
                                                   const CudaOptions& options);

}  // namespace nereid::cuda
