#pragma once

#include "absl/status/status.h"
#include "nereid/config_proposal.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// Writes into `config` what a backend may decide: max_batch_size, a whole list of inputs or
// outputs, the dynamic batcher when no scheduler was chosen, the decoupled flag; then normalises
// again. INTERNAL when the proposal wants another scheduler than the configuration's.
absl::Status ApplyProposal(const ConfigProposal& proposal, inference::ModelConfig* config);

// True when completion still has something to find: inputs (of the model or of the batch) or
// outputs are missing.
bool NeedsCompletion(const inference::ModelConfig& config);

}  // namespace nereid
