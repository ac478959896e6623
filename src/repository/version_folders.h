#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/file_system.h"

namespace nereid {

// The version a folder name stands for: `0` or digits without a leading zero, within int64.
std::optional<int64_t> ParseVersionFolder(std::string_view name);

// Versions that have a folder in `model_path`, ascending. Other folders, but for the few with a
// meaning of their own, are named in a warning. INTERNAL when the folder cannot be read.
absl::StatusOr<std::vector<int64_t>> ListVersionFolders(const FileSystem& files,
                                                        const std::string& model_path);

}  // namespace nereid
