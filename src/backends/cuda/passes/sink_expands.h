#pragma once

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// What is spread is spread as late as may be: a logical And or Or with a constant that decides
// nothing but the extents is an Expand, and an Expand goes behind the elementwise operators that
// read it beside single numbers. So a mask over keys, which exporters spread over queries and
// combine with all that are true, reaches the attention as the row that it is.
absl::Status SinkExpands(Graph& graph);

}  // namespace nereid::engine
