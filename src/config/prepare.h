#pragma once

#include <string>

#include "absl/status/status.h"
#include "config/backend_derivation.h"
#include "nereid/config_proposal.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// The steps every configuration takes, in their order.

struct PrepareOptions {
  std::string directory_name;
  bool check_directory_name = true;  // off for a model that serves under another name
  bool auto_complete = true;         // off: tensors must be complete now
};

// When a model is found: derives the backend, normalises, validates, compares the name.
absl::Status PrepareConfig(const PrepareOptions& options, const VersionEntries& entries,
                           inference::ModelConfig* config);

// When a version loads, with its instance groups made: applies the backend's proposal, validates
// again with tensors, refuses what this build cannot do.
absl::Status FinishConfig(const ConfigProposal& proposal, inference::ModelConfig* config);

}  // namespace nereid
