#pragma once

#include "absl/status/status.h"
#include "config/graph.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// Whether a complete configuration fits the model file: names, types, ranks and extents of every
// tensor, batch inputs, sequence controls and states. A configuration may fix an input extent the
// graph leaves open, and may leave out outputs; it may not leave out inputs. INVALID_ARGUMENT in
// the words of the configuration reference.
absl::Status CheckGraphAgreement(const inference::ModelConfig& config,
                                 const GraphDescription& graph);

}  // namespace nereid
