#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};

struct DataSet {
  std::vector<HostTensor> inputs, outputs;
};

// Folders with a model.onnx: `folder` itself, or those in it, sorted.
std::vector<std::filesystem::path> FindTests(const std::filesystem::path& folder);

// test_data_set_*/{input,output}_*.pb of a test. INTERNAL when there is nothing to compare with.
absl::StatusOr<std::vector<DataSet>> ReadDataSets(const std::filesystem::path& test);

// Whether the tensors are of the same type and shape, and close; of integers and bools, equal.
absl::Status Compare(const std::vector<HostTensor>& got, const std::vector<HostTensor>& expected,
                     const Tolerance& tolerance);

}  // namespace nereid::engine
