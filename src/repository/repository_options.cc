#include "repository/repository_options.h"

#include <algorithm>
#include <array>
#include <set>

#include "common/status_macros.h"
#include "common/strings.h"
#include "repository/local_source.h"

namespace nereid {
namespace {

struct RemoteScheme {
  std::string_view prefix;
  std::string_view name;
};
constexpr std::array<RemoteScheme, 3> kRemoteSchemes = {
    {{"s3://", "s3"}, {"gs://", "gs"}, {"as://", "as"}}};

absl::Status CheckLocal(std::string_view path) {
  for (const RemoteScheme& scheme : kRemoteSchemes) {
    if (path.starts_with(scheme.prefix)) {
      return absl::InternalError(StrCat(
          scheme.name, ":// file-system not supported: this build reads local repositories only, '",
          path, "' is none"));
    }
  }
  return absl::OkStatus();
}

std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

absl::Status CheckStartupModels(const std::vector<std::string>& models) {
  if (models.size() > 1 && std::find(models.begin(), models.end(), "*") != models.end()) {
    return absl::InvalidArgumentError(
        "Wildcard model name '*' must be the ONLY startup model if specified at all.");
  }
  for (const std::string& model : models) NEREID_RETURN_IF_ERROR(CheckModelName(model));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::shared_ptr<ModelSource>>> OpenSources(
    const RepositoryOptions& options) {
  NEREID_RETURN_IF_ERROR(CheckStartupModels(options.startup_models));
  std::set<std::string> paths;
  for (const std::string& path : options.paths) paths.insert(WithoutTrailingSlashes(path));
  std::vector<std::shared_ptr<ModelSource>> sources = options.sources;
  for (const std::string& path : paths) {
    NEREID_RETURN_IF_ERROR(CheckLocal(path));
    NEREID_ASSIGN_OR_RETURN(std::shared_ptr<ModelSource> source,
                            LocalSource::Create(path, *options.files));
    sources.push_back(std::move(source));
  }
  if (sources.empty()) return absl::InvalidArgumentError("--model-repository must be specified");
  return sources;
}

absl::Status CheckModelName(std::string_view name) {
  const bool blank = std::all_of(name.begin(), name.end(), [](char c) { return c == ' '; });
  if (blank) {
    return absl::InvalidArgumentError(
        "Model name cannot be empty. Please enter a valid name to deploy.");
  }
  if (name.find('/') != name.npos || name.find("..") != name.npos || name.find('\0') != name.npos) {
    return absl::InvalidArgumentError(StrCat(
        "invalid model name '", name, "', model name must not contain path traversal characters"));
  }
  return absl::OkStatus();
}

}  // namespace nereid
