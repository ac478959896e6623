#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// Checks everything but tensors and instance groups: identity, batching, queues, sequences,
// ensembles, metrics. The first failing check answers, INVALID_ARGUMENT, in the words of the
// configuration reference. `config` is normalised.
absl::Status ValidateConfig(const inference::ModelConfig& config);

// Checks inputs, outputs, batch inputs and batch outputs. Run once the configuration is complete.
absl::Status ValidateConfigIo(const inference::ModelConfig& config);

// Checks the implicit state of a sequence model: what its scheduler needs before it starts.
absl::Status ValidateSequenceState(const inference::ModelConfig& config);

// A model is found by the name of its folder.
absl::Status ValidateDirectoryName(const inference::ModelConfig& config,
                                   std::string_view directory_name);

}  // namespace nereid
