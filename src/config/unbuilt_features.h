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

// Settings of the model that have no effect under the options of this server, for a warning at
// load: the rate limiter's, while the server runs with `--rate-limit=off`.
std::vector<std::string> SettingsWithoutEffect(const inference::ModelConfig& config);

}  // namespace nereid
