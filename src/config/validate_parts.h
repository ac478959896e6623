#pragma once

// The parts ValidateConfig() is put together from.

#include "absl/status/status.h"

namespace inference {
class ModelConfig;
}

namespace nereid::config_internal {

absl::Status ValidateKnownEnums(const inference::ModelConfig& config);
absl::Status ValidateDynamicBatching(const inference::ModelConfig& config);
absl::Status ValidateSequenceBatching(const inference::ModelConfig& config);
absl::Status ValidateEnsemble(const inference::ModelConfig& config);
absl::Status ValidateModelMetrics(const inference::ModelConfig& config);

}  // namespace nereid::config_internal
