#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace nereid {

// Which model asks for a backend, and where that model lies.
struct BackendQuery {
  std::string model_name;
  std::string backend;  // the configuration's `backend`
  std::string runtime;  // the configuration's `runtime`; empty: libnereid_<backend>.so
  std::string model_path;
  std::string version_path;
};

// The file of the module that serves `query`, symbolic links resolved: looked for in the version
// folder, the model folder, then <backend_directory>/<backend>. INVALID_ARGUMENT when there is
// none, or when the name leads out of a folder.
absl::StatusOr<std::string> FindBackendLibrary(const BackendQuery& query,
                                               const std::string& backend_directory);

}  // namespace nereid
