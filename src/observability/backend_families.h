#pragma once

#include <string_view>

#include "nereid/backend_metrics.h"

namespace nereid {

// A family that a shipped backend publishes: what the backend makes its series from, and what the
// documentation lists.
struct BackendFamily {
  MetricSpec spec;
  std::string_view labels;
  std::string_view when;
};

inline constexpr BackendFamily kCudaHostSteps = {
    {"nereid_cuda_host_steps",
     "Operators that ran on the host because the GPU has no implementation of them",
     MetricSpec::Kind::kCounter},
    "model, version",
    "backend `cuda`"};
inline constexpr BackendFamily kCudaMemory = {
    {"nereid_cuda_memory_bytes",
     "GPU memory of a model's weights, machine code, arenas, scratch memory and graphs",
     MetricSpec::Kind::kGauge},
    "model, version, gpu",
    "backend `cuda`"};
inline constexpr BackendFamily kCudaPinnedMemory = {
    {"nereid_cuda_pinned_bytes", "Pinned host memory that a model's instances stage tensors in",
     MetricSpec::Kind::kGauge},
    "model, version, gpu",
    "backend `cuda`"};
inline constexpr BackendFamily kCudaFailures = {
    {"nereid_cuda_device_failures",
     "Executions after which an instance was made anew because a call of CUDA had failed",
     MetricSpec::Kind::kCounter},
    "model, version",
    "backend `cuda`"};

inline constexpr BackendFamily kBackendFamilies[] = {kCudaHostSteps, kCudaMemory, kCudaPinnedMemory,
                                                     kCudaFailures};

}  // namespace nereid
