#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"
#include "kernels/recurrent/recurrent.h"

namespace nereid::engine {

// The cell of an LSTM, GRU or RNN, or of the nereid.Recurrent that was one.
std::optional<RecurrentCell> CellOf(const Node& node);

// The activations that the node's attributes ask for, one direction after the other.
absl::StatusOr<std::vector<RecurrentActivation>> ActivationsOf(const Node& node, RecurrentCell cell,
                                                               int64_t directions);

}  // namespace nereid::engine
