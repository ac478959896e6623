#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nereid/model_config.h"

namespace nereid {

// What a backend adds to a configuration that leaves things out. Only what is set is considered.
struct ConfigProposal {
  std::optional<int64_t> max_batch_size;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  bool enable_dynamic_batching = false;
  std::optional<bool> decoupled;
};

}  // namespace nereid
