#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nereid {

struct GpuDevice {
  int ordinal = 0;
  std::string name;
  std::string uuid;               // "GPU-…", as the metrics label says it
  double compute_capability = 0;  // major.minor
  uint64_t total_bytes = 0;
};

// The GPUs of this machine, found through the driver if one is installed; empty otherwise. Looked
// up once per process. Needs no CUDA toolkit.
const std::vector<GpuDevice>& GpuDevices();

}  // namespace nereid
