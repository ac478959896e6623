#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// The reference executor: every operator in plain C++ on the host, accumulating in double. It is
// the oracle of the tests, folds constants, and executes what the GPU path does not have.

// Runs one node on its inputs (nullptr for those left out). UNIMPLEMENTED for an operator it does
// not know, INVALID_ARGUMENT for inputs the operator does not allow; messages name the node.
absl::StatusOr<std::vector<HostTensor>> EvaluateNode(const Graph& graph, const Node& node,
                                                     absl::Span<const HostTensor* const> inputs);

// Runs a whole graph. `inputs` are parallel to graph.inputs.
absl::StatusOr<std::vector<HostTensor>> EvaluateGraph(const Graph& graph,
                                                      absl::Span<const HostTensor> inputs);

// True when EvaluateNode knows the operator.
bool HasReference(const Node& node);

// All operators it knows, sorted: "Conv", "com.microsoft.FusedMatMul".
std::vector<std::string> ReferenceOperators();

}  // namespace nereid::engine
