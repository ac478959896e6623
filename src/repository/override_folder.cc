#include "repository/override_folder.h"

#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "repository/version_folders.h"

namespace nereid {
namespace {

namespace fs = std::filesystem;

fs::path Normalized(std::string_view relative_path) {
  return fs::path(relative_path).lexically_normal();
}

// Removes the folder with everything in it when it goes.
class TemporaryFolder {
 public:
  TemporaryFolder(const FileSystem& files, std::string path)
      : files_(files), path_(std::move(path)) {}
  ~TemporaryFolder() {
    if (const absl::Status removed = files_.RemoveAll(path_); !removed.ok()) {
      NLOG(Error) << removed.message();
    }
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  const FileSystem& files_;
  const std::string path_;
};

absl::Status CheckNoFileIsAFolder(const std::map<std::string, std::string>& contents) {
  std::set<fs::path> named;
  for (const auto& [relative_path, content] : contents) named.insert(Normalized(relative_path));
  for (const fs::path& path : named) {
    for (fs::path folder = path.parent_path(); !folder.empty(); folder = folder.parent_path()) {
      if (!named.contains(folder)) continue;
      return absl::InvalidArgumentError(StrCat("Invalid file parameter 'file:", folder.string(),
                                               "': '", path.string(), "' lies below it."));
    }
  }
  return absl::OkStatus();
}

// Adds what is beneath `path`; names begin with `prefix`.
absl::Status ReadFiles(const FileSystem& files, const std::string& path, const std::string& prefix,
                       std::map<std::string, std::string>& contents) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  for (const std::string& name : names) {
    const std::string at = JoinPath(path, name);
    NEREID_ASSIGN_OR_RETURN(const FileInfo info, files.Stat(at));
    if (info.is_directory) {
      NEREID_RETURN_IF_ERROR(ReadFiles(files, at, StrCat(prefix, name, "/"), contents));
    } else {
      NEREID_ASSIGN_OR_RETURN(contents[StrCat(prefix, name)], files.ReadFile(at, info.byte_size));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckOverridePath(std::string_view relative_path) {
  const fs::path normal = Normalized(relative_path);
  const bool names_a_file = normal.has_filename() && normal != "." && normal != "..";
  const bool has_nul = relative_path.find('\0') != std::string_view::npos;
  if (names_a_file && !has_nul && normal.is_relative() && *normal.begin() != "..") {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(StrCat("Invalid file parameter 'file:", relative_path,
                                           "' with normalized path '", normal.string(),
                                           "' must stay within model directory."));
}

absl::StatusOr<ModelFolder> WriteOverrideFolder(
    const FileSystem& files, const std::string& parent,
    const std::map<std::string, std::string>& contents) {
  for (const auto& [relative_path, content] : contents) {
    NEREID_RETURN_IF_ERROR(CheckOverridePath(relative_path));
  }
  NEREID_RETURN_IF_ERROR(CheckNoFileIsAFolder(contents));
  NEREID_ASSIGN_OR_RETURN(std::string path, files.CreateTemporaryDirectory(parent));
  auto folder = std::make_shared<const TemporaryFolder>(files, std::move(path));
  for (const auto& [relative_path, content] : contents) {
    const fs::path target = fs::path(folder->path()) / Normalized(relative_path);
    NEREID_RETURN_IF_ERROR(files.CreateDirectories(target.parent_path().string()));
    NEREID_RETURN_IF_ERROR(files.WriteFile(target.string(), content));
  }
  ModelFolder model;
  model.path = folder->path();
  NEREID_ASSIGN_OR_RETURN(model.versions, ListVersionFolders(files, folder->path()));
  model.lifetime = std::move(folder);
  return model;
}

absl::StatusOr<std::map<std::string, std::string>> ReadOverrideFolder(const FileSystem& files,
                                                                      const std::string& path) {
  std::map<std::string, std::string> contents;
  NEREID_RETURN_IF_ERROR(ReadFiles(files, path, "", contents));
  return contents;
}

}  // namespace nereid
