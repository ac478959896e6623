#pragma once

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/lower/precision.h"

namespace nereid::engine {

// Rules of Legalize() that are large enough for a file of their own: each looks at one node, in one
// round over the graph; what an edit made is seen by the next round.

// LSTM, GRU, RNN → nereid.Gemm of all steps' inputs, nereid.Recurrent.
void SplitRecurrent(GraphEditor& editor, NodeId id, const PrecisionOptions& precision);

}  // namespace nereid::engine
