#pragma once

#include <string_view>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/lower/precision.h"

namespace nereid::engine {

// Whether the node has that operator; "" is ONNX's domain.
inline bool Is(const Node& node, std::string_view op, std::string_view domain = "") {
  return node.op == op && node.domain == domain;
}

// Rules of Legalize() that are large enough for a file of their own: each looks at one node, in one
// round over the graph; what an edit made is seen by the next round.

// Conv with one filter a channel → nereid.Depthwise.
void LowerDepthwise(GraphEditor& editor, NodeId id, const PrecisionOptions& precision);
// An activation after a nereid.Depthwise becomes its own.
void FuseDepthwiseActivation(GraphEditor& editor, NodeId id, const PrecisionOptions& precision);
// So does what happens to its input alone: an activation, and a number it is multiplied by or that
// is added.
void FuseDepthwiseInput(GraphEditor& editor, NodeId id, const PrecisionOptions& precision);

// LSTM, GRU, RNN → nereid.Gemm of all steps' inputs, nereid.Recurrent.
void SplitRecurrent(GraphEditor& editor, NodeId id, const PrecisionOptions& precision);

}  // namespace nereid::engine
