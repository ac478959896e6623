#include "repository/version_folders.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/log.h"
#include "common/status_macros.h"

namespace nereid {
namespace {

constexpr std::array<std::string_view, 3> kOtherFolders = {"configs", "initial_state", "warmup"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<int64_t> ParseVersionFolder(std::string_view name) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsDigit)) return std::nullopt;
  if (name.size() > 1 && name.front() == '0') return std::nullopt;
  int64_t version = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), version);
  if (parsed.ec != std::errc()) return std::nullopt;
  return version;
}

absl::StatusOr<std::vector<int64_t>> ListVersionFolders(const FileSystem& files,
                                                        const std::string& model_path) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(model_path));
  std::vector<int64_t> versions;
  for (const std::string& name : names) {
    const std::string path = JoinPath(model_path, name);
    const absl::StatusOr<FileInfo> info = files.Stat(path);
    if (absl::IsNotFound(info.status())) continue;  // removed meanwhile, or a link to nowhere
    if (!info.ok()) return info.status();
    if (!info->is_directory) continue;
    if (const std::optional<int64_t> version = ParseVersionFolder(name)) {
      versions.push_back(*version);
    } else if (std::find(kOtherFolders.begin(), kOtherFolders.end(), name) == kOtherFolders.end()) {
      NLOG(Warning) << "ignore version directory '" << path
                    << "': its name is not a whole number without leading zeros";
    }
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

}  // namespace nereid
