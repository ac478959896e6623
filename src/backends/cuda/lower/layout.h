#pragma once

#include <vector>

#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Which values of a graph of known shapes are kept with channels innermost (NHWC): results of
// convolutions and of transposed ones, and what follows from them through pooling, resizing,
// pointwise work, joining and normalising, as long as most bytes read are kept so. Everything else
// lies as ONNX has it; copies at the borders are made by the lowering.
std::vector<bool> AssignChannelsLast(const Graph& graph);

}  // namespace nereid::engine
