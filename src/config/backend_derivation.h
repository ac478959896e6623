#pragma once

#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// Names inside one version folder: what tells which backend a model without `backend` is for.
struct VersionEntries {
  std::set<std::string, std::less<>> files;
  std::set<std::string, std::less<>> directories;
};

// Entries of the numerically highest version folder of the model; none when it has no version.
// INTERNAL when a folder cannot be read.
absl::StatusOr<VersionEntries> ReadVersionEntries(const std::string& model_path);

// Fills what the user left out of `name`, `backend`, `platform` and `default_model_filename`, from
// each other and from the files that are there. A named backend is never replaced. A platform name
// of old is replaced by its successor. INVALID_ARGUMENT when nothing tells the backend.
absl::Status DeriveBackend(std::string_view directory_name, const VersionEntries& entries,
                           inference::ModelConfig* config);

}  // namespace nereid
