#include "repository/local_source.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "repository/version_folders.h"

namespace nereid {
namespace {

// Deep enough for any model; a link that leads in a circle ends here.
constexpr int kMaxDepth = 32;

bool IsCandidate(std::string_view name) { return !name.starts_with('.') && name != "lost+found"; }

// The newest change in `path` and everything beneath it. What vanishes meanwhile counts as nothing:
// its folder has changed.
absl::StatusOr<int64_t> NewestChange(const FileSystem& files, const std::string& path, int depth) {
  absl::StatusOr<FileInfo> info = files.Stat(path);
  if (absl::IsNotFound(info.status())) return 0;
  if (!info.ok()) return info.status();
  int64_t newest = info->changed_ns;
  if (!info->is_directory || depth == 0) return newest;
  absl::StatusOr<std::vector<std::string>> names = files.List(path);
  if (absl::IsNotFound(names.status())) return newest;
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    NEREID_ASSIGN_OR_RETURN(const int64_t change,
                            NewestChange(files, JoinPath(path, name), depth - 1));
    newest = std::max(newest, change);
  }
  return newest;
}

bool Exists(const FileSystem& files, const std::string& path) { return files.Stat(path).ok(); }

}  // namespace

absl::StatusOr<std::unique_ptr<LocalSource>> LocalSource::Create(std::string path,
                                                                 const FileSystem& files) {
  const absl::StatusOr<FileInfo> info = files.Stat(path);
  if (!info.ok() || !info->is_directory) {
    return absl::InvalidArgumentError(
        StrCat("repository path is not a valid directory: ", path,
               info.ok() ? "" : StrCat(" (", info.status().message(), ")")));
  }
  std::unique_ptr<LocalSource> source(new LocalSource(std::move(path), files));
  if (const auto models = source->ListModels(); !models.ok()) {
    return absl::InvalidArgumentError(StrCat("repository path is not a valid directory: ",
                                             source->path_, " (", models.status().message(), ")"));
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(source->path_));
  for (const std::string& name : names) {
    if (IsCandidate(name)) continue;
    NLOG(Warning) << "ignore '" << JoinPath(source->path_, name) << "': not the name of a model";
  }
  return source;
}

absl::StatusOr<std::vector<std::string>> LocalSource::ListModels() const {
  NEREID_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  std::vector<std::string> models;
  for (const std::string& name : names) {
    if (!IsCandidate(name)) continue;
    absl::StatusOr<FileInfo> info = files_.Stat(JoinPath(path_, name));
    if (absl::IsNotFound(info.status())) continue;  // removed meanwhile, or a link to nowhere
    if (!info.ok()) return absl::InternalError(info.status().message());
    if (info->is_directory) models.push_back(name);
  }
  return models;
}

absl::StatusOr<bool> LocalSource::HasModel(std::string_view model) const {
  if (!IsCandidate(model)) return false;
  absl::StatusOr<FileInfo> info = files_.Stat(JoinPath(path_, model));
  if (absl::IsNotFound(info.status())) {
    // The model is missing, unless its whole source is.
    NEREID_RETURN_IF_ERROR(files_.Stat(path_).status());
    return false;
  }
  if (!info.ok()) return info.status();
  return info->is_directory;
}

absl::StatusOr<std::vector<int64_t>> LocalSource::ListVersions(std::string_view model) const {
  return ListVersionFolders(files_, JoinPath(path_, model));
}

absl::StatusOr<ModelFolder> LocalSource::Materialise(std::string_view model) const {
  ModelFolder folder;
  folder.path = JoinPath(path_, model);
  NEREID_ASSIGN_OR_RETURN(folder.versions, ListVersionFolders(files_, folder.path));
  return folder;
}

absl::StatusOr<ChangeToken> LocalSource::Token(std::string_view model,
                                               std::string_view config_name) const {
  const std::string path = JoinPath(path_, model);
  const std::string alternative = StrCat("configs/", config_name, ".pbtxt");
  const bool use_alternative = !config_name.empty() && Exists(files_, JoinPath(path, alternative));
  NEREID_ASSIGN_OR_RETURN(const FileInfo info, files_.Stat(path));
  NEREID_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path));

  ChangeToken token;
  token.folder = info.changed_ns;
  for (const std::string& name : names) {
    NEREID_ASSIGN_OR_RETURN(const int64_t change,
                            NewestChange(files_, JoinPath(path, name), kMaxDepth));
    if (const std::optional<int64_t> version = ParseVersionFolder(name)) {
      token.versions[*version] = change;
    } else if (name == (use_alternative ? "configs" : "config.pbtxt")) {
      token.config = change;
    } else {
      token.shared = std::max(token.shared, change);
    }
  }
  return token;
}

}  // namespace nereid
