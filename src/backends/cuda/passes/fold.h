#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// How much a node that depends on constants only may cost to be folded.
struct FoldLimits {
  // Elements of a result that grows: that is larger than all the node's inputs together.
  int64_t max_growing_elements = 1 << 16;
  int64_t max_elements = int64_t{1} << 28;
  // Multiplications of a product or convolution.
  int64_t max_multiplications = int64_t{1} << 26;
};

// The outputs of a node all of whose inputs are constants, by the reference executor; or, for Shape
// and Size, of one whose input has a known shape. Absent when the node is not of that kind, has no
// shape rule, draws random numbers, has subgraphs, costs too much, or fails. The types and shapes
// of its outputs are those inferred, if they are.
std::optional<std::vector<HostTensor>> Fold(const Graph& graph, const Node& node,
                                            const FoldLimits& limits);

}  // namespace nereid::engine
