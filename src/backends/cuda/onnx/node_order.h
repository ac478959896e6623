#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/onnx/proto.h"

namespace nereid::engine {

// The order in which nodes can be built: each after those whose outputs it reads, itself or in its
// subgraphs; the file's own order where that will do. INVALID_ARGUMENT for a cycle.
absl::StatusOr<std::vector<size_t>> OrderNodes(const std::vector<NodeProto>& nodes);

}  // namespace nereid::engine
