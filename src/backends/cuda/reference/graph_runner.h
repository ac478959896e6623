#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Evaluates a graph, once or (the body of a Loop) many times. Frees each value after its last
// reader. The graph must outlive it.
class GraphRunner {
 public:
  explicit GraphRunner(const Graph& graph);

  // `inputs` are parallel to graph.inputs, `captures` to graph.captures. Both are checked for
  // number only.
  absl::StatusOr<std::vector<HostTensor>> Run(absl::Span<const HostTensor> inputs,
                                              absl::Span<const HostTensor* const> captures) const;

 private:
  const Graph& graph_;
  std::vector<int> reads_;                      // of each value, by nodes and outputs
  std::vector<std::vector<ValueId>> captured_;  // of each node
};

}  // namespace nereid::engine
