#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// The reference executor: every operator in plain C++ on the host, accumulating in double. It is
// the oracle of the tests, folds constants, and executes what the GPU path does not have.
//
// It takes nodes in the canonical form of onnx/normalizer.h and the operators of ir/nereid_ops.h.
// Floating tensors of 16 bits are computed in double and rounded once, at the end. Integers wrap.
// A tensor that would have more than kMaxElements elements (reference/shapes.h) is refused.

// Runs one node on its inputs (nullptr for those left out). UNIMPLEMENTED for an operator it does
// not know, INVALID_ARGUMENT for inputs the operator does not allow, RESOURCE_EXHAUSTED when memory
// is; messages name the node. The results are parallel to the node's outputs.
//
// If, Loop and Scan: `inputs` may go on with the values that CapturedValues() lists, in its order;
// without them, those must be constants of `graph`.
absl::StatusOr<std::vector<HostTensor>> EvaluateNode(const Graph& graph, const Node& node,
                                                     absl::Span<const HostTensor* const> inputs);

// The values of the graph around it that the node's subgraphs read: each subgraph's captures, the
// subgraphs in the order of their attributes' names.
std::vector<ValueId> CapturedValues(const Node& node);

// Runs a whole graph. `inputs` are parallel to graph.inputs.
absl::StatusOr<std::vector<HostTensor>> EvaluateGraph(const Graph& graph,
                                                      absl::Span<const HostTensor> inputs);

// True when EvaluateNode knows the operator.
bool HasReference(const Node& node);

// All operators it knows, sorted: "Conv", "nereid.FusedConv".
std::vector<std::string> ReferenceOperators();

}  // namespace nereid::engine
