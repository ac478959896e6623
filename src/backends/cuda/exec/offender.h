#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/lower/precision.h"

namespace nereid::engine {

// Gives every node a name of its own, so that each can have a precision of its own; options for
// layers go over to the new names.
void NameNodes(Graph& graph, PrecisionOptions& options);

// Whether a graph whose nodes are named, run with this precision, gives what it should not.
using PrecisionTrial =
    std::function<absl::StatusOr<bool>(const Graph& graph, const PrecisionOptions& options)>;

// The first node whose results spoil the outputs when they are kept as `options` says: the shortest
// beginning of the graph that is bad with all that follows in fp32 ends with it. About log2(nodes)
// trials. nullopt when even fp32 is bad, or all of the graph is good.
absl::StatusOr<std::optional<std::string>> FindOffender(Graph graph, PrecisionOptions options,
                                                        const PrecisionTrial& is_bad);

}  // namespace nereid::engine
