#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "nereid/model_config.h"

namespace nereid::identity {

// An output and the input it repeats.
struct Pair {
  const TensorSpec* input = nullptr;
  const TensorSpec* output = nullptr;
};

// What the configuration says. `execute_delay_ms` makes every execution last at least that long;
// with `instance_wise_delay_multiplier` m, instance i waits max(1, m * i) times as long.
struct Options {
  std::vector<Pair> pairs;
  std::chrono::milliseconds execute_delay{0};
  int64_t delay_multiplier = 0;

  std::chrono::milliseconds DelayOf(int instance_index) const;
};

// Every output OUTPUT<n> needs an input INPUT<n> of the same type and extents. The pairs point into
// `config`.
absl::StatusOr<Options> ReadOptions(const ModelConfig& config);

}  // namespace nereid::identity
