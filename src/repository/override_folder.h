#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file_system.h"
#include "repository/model_source.h"

namespace nereid {

// Checks that `relative_path`, as a load request names a file, stays inside the model's folder.
// INVALID_ARGUMENT otherwise, and when it names no file.
absl::Status CheckOverridePath(std::string_view relative_path);

// Writes `files` (relative path → content) beneath a fresh folder in `parent` and lists its
// versions. The folder is removed when the returned lifetime ends.
absl::StatusOr<ModelFolder> WriteOverrideFolder(const FileSystem& files, const std::string& parent,
                                                const std::map<std::string, std::string>& contents);

// The files beneath a folder that WriteOverrideFolder() made: relative path → content.
absl::StatusOr<std::map<std::string, std::string>> ReadOverrideFolder(const FileSystem& files,
                                                                      const std::string& path);

}  // namespace nereid
