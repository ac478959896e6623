#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "observability/metrics_registry.h"

namespace nereid {

// nv_gpu_* and nv_energy_consumption for every GPU, read through the driver's management library,
// which is loaded when it is there. At most one reading per `interval`; scrapes in between see it
// again. Null when the machine has no such library or no GPU.
std::shared_ptr<MetricSource> MakeGpuMetrics(std::chrono::milliseconds interval);

// The families of MakeGpuMetrics, for the documentation.
struct GpuFamily {
  const char* name;
  const char* help;
  bool is_counter;
};
std::vector<GpuFamily> GpuFamilies();

}  // namespace nereid
