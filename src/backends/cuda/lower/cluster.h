#pragma once

#include <vector>

#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Nodes that are lowered together, in the order of the graph.
struct Cluster {
  std::vector<NodeId> nodes;
  bool pointwise = false;  // then they are one generated kernel
};

// Divides the nodes of a graph of known shapes: connected pointwise nodes of one output shape come
// together within the generator's limits, with those of smaller shapes that only they read; every
// other node is on its own. The clusters come in an
// order in which each follows those it reads from.
std::vector<Cluster> FormClusters(const Graph& graph);

}  // namespace nereid::engine
