#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "repository/model_source.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

struct InspectOptions {
  std::string config_name;    // which alternative configuration to prefer; empty: none
  bool auto_complete = true;  // off: the configuration must be there and complete
};

// What is known of a model before anything of it is loaded.
struct InspectedModel {
  ModelFolder folder;
  std::shared_ptr<const inference::ModelConfig> config;  // derived, normalised and validated
  bool config_was_provided = true;
  std::vector<int64_t> serve;  // versions the policy selects, ascending; may be empty
};

// Reads and prepares the configuration of the model `name` in `folder`: `config_json` in place of
// the file when it is not empty.
absl::StatusOr<InspectedModel> InspectModel(const InspectOptions& options, const std::string& name,
                                            ModelFolder folder, const std::string& config_json);

// Whether two configurations load to the same thing: equal but for the version policy.
bool SameButForVersionPolicy(const inference::ModelConfig& a, const inference::ModelConfig& b);

}  // namespace nereid
