#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/device/device_op.h"
#include "kernels/jit/toolbox.h"

namespace nereid::engine {

// One of several ways to do the same work, with the same inputs and outputs.
struct Alternative {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<DeviceOp>>()> make;
};

// Operands to race alternatives on: sizes in bytes, 0 for one left out.
struct RaceOperands {
  std::vector<size_t> inputs;
  std::vector<size_t> outputs;
};

// The fastest of them on this GPU; those that cannot be made are left out. Without races, the first
// that can. `specification` says everything the choice depends on: it is raced once. The error of
// the first when none can be made.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeFastest(Toolbox& toolbox,
                                                      const std::string& specification,
                                                      absl::Span<const Alternative> alternatives,
                                                      const RaceOperands& operands);

}  // namespace nereid::engine
