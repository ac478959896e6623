#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/file_system.h"
#include "config/server_options.h"
#include "repository/loader.h"
#include "repository/model_source.h"

namespace nereid {

// What a load request brings in place of the repository's content.
struct ModelOverride {
  std::string config_json;                   // empty: none
  std::map<std::string, std::string> files;  // relative path → content

  bool empty() const { return config_json.empty() && files.empty(); }
};

// A model that clients asked for, and what they brought.
struct RequestedModel {
  std::string name;
  ModelOverride with;
};

struct RepositoryOptions {
  std::vector<std::string> paths;  // duplicates collapse, order does not matter
  ModelControlMode control_mode = ModelControlMode::kNone;
  std::vector<std::string> startup_models;                      // explicit only; "*" alone: all
  std::optional<std::vector<RequestedModel>> requested_models;  // explicit only: instead of those
  std::chrono::milliseconds poll_interval{15'000};  // poll only; 0: never after start-up
  bool auto_complete_config = true;
  std::string config_name;  // prefer configs/<config_name>.pbtxt
  int load_thread_count = 4;
  int load_retry_count = 0;
  bool namespacing = false;                                // one name may occur in several paths
  std::string temporary_directory = TemporaryDirectory();  // for files that load requests bring

  // Outlive the repository.
  Loader* loader = nullptr;
  const FileSystem* files = &FileSystem::Real();
  // Used beside `paths`.
  std::vector<std::shared_ptr<ModelSource>> sources;
};

// The sources `options` names, in the order of their paths. INVALID_ARGUMENT when there is none,
// one is no folder or "*" is not alone among the start-up models.
absl::StatusOr<std::vector<std::shared_ptr<ModelSource>>> OpenSources(
    const RepositoryOptions& options);

// INVALID_ARGUMENT unless `name` can be the name of a model that a client asks for.
absl::Status CheckModelName(std::string_view name);

}  // namespace nereid
