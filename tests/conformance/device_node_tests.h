#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "tests/conformance/node_test_data.h"

namespace nereid::engine {

struct DeviceTestOptions {
  int device = 0;
  std::string precision = "fp32";
  Tolerance tolerance;
};

struct DeviceTestResult {
  absl::Status status;
  std::set<std::string> on_host;  // operators that the reference executor ran
  bool device_failed = false;     // nothing in this process can be trusted any more
};

// Runs the test on the GPU: step by step, then as captured graphs.
DeviceTestResult RunOnDevice(const std::filesystem::path& test, const DeviceTestOptions& options);

// What of that needs no GPU: which operators would run on the host; and the rewritten graph is
// evaluated on the host and compared.
DeviceTestResult PlanForDevice(const std::filesystem::path& test, const DeviceTestOptions& options);

}  // namespace nereid::engine
