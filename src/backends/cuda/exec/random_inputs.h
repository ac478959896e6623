#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

struct ValueRange {
  double low = 0;
  double high = 1;
};
// By the input's name.
using ValueRanges = std::map<std::string, ValueRange, std::less<>>;

// Tensors for the graph's inputs, of these shapes (parallel to them), uniformly distributed: from
// -1 to 1 for floating types, 0 or 1 for others (written out in strings), where `ranges` says
// nothing else. The same for the same seed.
absl::StatusOr<std::vector<HostTensor>> RandomInputs(const Graph& graph,
                                                     absl::Span<const Shape> shapes,
                                                     const ValueRanges& ranges, uint64_t seed);

}  // namespace nereid::engine
