#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// The window of a convolution or pool over the spatial axes of [N, C, spatial...], in numbers.
struct KernelWindow {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> begin;  // padding before and after
  std::vector<int64_t> end;
  bool ceil = false;

  // Extent of the output along spatial axis i; -1 where that of the input is not known.
  int64_t OutputExtent(size_t i, int64_t input) const;
};

// Reads the attributes of a node whose kernel has these extents; auto_pad becomes padding where the
// spatial extents of the input are known. INVALID_ARGUMENT for attributes that do not fit.
absl::StatusOr<KernelWindow> ReadKernelWindow(const Node& node, absl::Span<const int64_t> kernel,
                                              absl::Span<const int64_t> spatial);

// Replaces auto_pad of a convolution or pool by the padding it means for these extents.
absl::Status MakePaddingExplicit(const Graph& graph, Node& node);

}  // namespace nereid::engine
