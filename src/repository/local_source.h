#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/file_system.h"
#include "repository/model_source.h"

namespace nereid {

// A folder whose sub-folders are models. Hidden sub-folders and lost+found are no models; each gets
// one warning.
//
// A token holds, for every part, the newest change found anywhere beneath it.
class LocalSource : public ModelSource {
 public:
  // INVALID_ARGUMENT when `path` is not a folder that can be listed. `files` outlives the source.
  static absl::StatusOr<std::unique_ptr<LocalSource>> Create(std::string path,
                                                             const FileSystem& files);

  const std::string& path() const override { return path_; }
  absl::StatusOr<std::vector<std::string>> ListModels() const override;
  absl::StatusOr<bool> HasModel(std::string_view model) const override;
  absl::StatusOr<std::vector<int64_t>> ListVersions(std::string_view model) const override;
  absl::StatusOr<ModelFolder> Materialise(std::string_view model) const override;
  absl::StatusOr<ChangeToken> Token(std::string_view model,
                                    std::string_view config_name) const override;

 private:
  LocalSource(std::string path, const FileSystem& files) : path_(std::move(path)), files_(files) {}

  const std::string path_;
  const FileSystem& files_;
};

}  // namespace nereid
