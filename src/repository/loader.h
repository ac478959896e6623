#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "infer/servable.h"
#include "nereid/memory_estimate.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// One version of a model that shall be loaded.
struct LoadRequest {
  std::string name;        // as clients address it
  std::string name_space;  // its repository, where names may repeat across them; otherwise empty
  int64_t version = 1;
  std::string model_path;    // local folder of the model
  std::string version_path;  // local folder of the version
  // Parsed, with backend derived, normalised and validated by the repository; the loader completes
  // it.
  std::shared_ptr<const inference::ModelConfig> config;
  bool config_was_provided = true;  // false: everything comes from completion
};

// Turns files into something that serves. Implemented by the model module; called by the
// repository's load executor, several loads at a time. Throws nothing.
class Loader {
 public:
  virtual ~Loader() = default;

  // What Load() would take; empty when unknown.
  virtual absl::StatusOr<MemoryEstimate> Estimate(const LoadRequest& request) = 0;
  // Completes the configuration, loads the model, makes its instances and warms them up. The
  // servable is READY when this returns.
  virtual absl::StatusOr<std::shared_ptr<Servable>> Load(const LoadRequest& request) = 0;
  // Begins to close `servable`: it finishes what it has and refuses more. Its memory goes when the
  // last handle does.
  virtual void Unload(Servable& servable) = 0;
};

}  // namespace nereid
