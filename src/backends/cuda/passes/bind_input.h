#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Makes input `name` a constant: a model is then specialised for that content (a sampling rate, the
// flag that chooses a branch). INVALID_ARGUMENT when there is no such input, or the tensor is not
// of its type and shape.
absl::Status BindInput(Graph& graph, std::string_view name, HostTensor content);

}  // namespace nereid::engine
