#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// OK when this build has everything the model asks for. Otherwise UNIMPLEMENTED, naming the
// features: a model is refused rather than served without one.
absl::Status CheckSupported(const inference::ModelConfig& config);

// Settings of the model that are valid and have no effect in this build, for a warning at load.
std::vector<std::string> SettingsWithoutEffect(const inference::ModelConfig& config);

}  // namespace nereid
