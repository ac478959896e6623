#include "config/backend_derivation.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string>

#include "common/status_macros.h"
#include "common/strings.h"
#include "config/invalid.h"
#include "config/platforms.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

enum class EntryKind { kFile, kDirectory, kAny };

// One way to recognise a backend. Rows are tried in order; the first that fits wins.
struct Row {
  std::string_view backend;
  std::string_view platform;  // empty: the backend has no platform name
  std::string_view file;      // its model file, as configured or found in the version folder
  EntryKind kind;
  // The file name alone decides only when no platform is written.
  bool file_needs_empty_platform;
  // The file name is left to the backend when the user wrote the platform.
  bool default_file_needs_empty_platform;
  // Stands for the backend when it is named and nothing else tells.
  bool is_backend_default;
};

constexpr Row kRows[] = {
    {kBackendTensorFlow, kPlatformGraphDef, "model.graphdef", EntryKind::kFile, true, false, false},
    {kBackendTensorFlow, kPlatformSavedModel, "model.savedmodel", EntryKind::kDirectory, true,
     false, false},
    {kBackendTensorRt, kPlatformTensorRt, "model.plan", EntryKind::kFile, false, false, true},
    {kBackendOnnx, kPlatformOnnx, "model.onnx", EntryKind::kAny, false, false, true},
    {kBackendOpenVino, "", "model.xml", EntryKind::kAny, false, false, true},
    {kBackendPyTorch, kPlatformTorchScript, "model.pt", EntryKind::kFile, false, true, true},
    {kBackendPyTorch, kPlatformTorchAoti, "model.pt2", EntryKind::kFile, false, false, false},
    {kBackendPython, "", "model.py", EntryKind::kAny, false, false, true},
};

// Platform names of old, and what they are called now.
struct Alias {
  std::string_view backend, old_platform, platform;
};
constexpr Alias kAliases[] = {{kBackendPyTorch, "libtorch", kPlatformTorchScript}};

bool Contains(const VersionEntries& entries, std::string_view name, EntryKind kind) {
  const bool is_file = entries.files.contains(name);
  const bool is_directory = entries.directories.contains(name);
  switch (kind) {
    case EntryKind::kFile:
      return is_file;
    case EntryKind::kDirectory:
      return is_directory;
    case EntryKind::kAny:
      return is_file || is_directory;
  }
  return false;
}

bool Fits(const Row& row, const VersionEntries& entries, const inference::ModelConfig& config) {
  const bool no_platform = config.platform().empty();
  if (!row.platform.empty() && config.platform() == row.platform) return true;
  if (config.default_model_filename() == row.file) {
    return no_platform || !row.file_needs_empty_platform;
  }
  return no_platform && config.default_model_filename().empty() &&
         Contains(entries, row.file, row.kind);
}

const Row* FindRow(const VersionEntries& entries, const inference::ModelConfig& config) {
  const auto candidate = [&](const Row& row) {
    return config.backend().empty() || config.backend() == row.backend;
  };
  for (const Row& row : kRows) {
    if (candidate(row) && Fits(row, entries, config)) return &row;
  }
  for (const Row& row : kRows) {
    if (config.backend() == row.backend && row.is_backend_default) return &row;
  }
  return nullptr;
}

void ReplaceOldPlatform(inference::ModelConfig* config) {
  for (const Alias& alias : kAliases) {
    const bool same_backend = config->backend().empty() || config->backend() == alias.backend;
    if (same_backend && config->platform() == alias.old_platform) {
      config->set_platform(std::string(alias.platform));
    }
  }
}

void FillFrom(const Row& row, inference::ModelConfig* config) {
  const bool platform_was_empty = config->platform().empty();
  config->set_backend(std::string(row.backend));
  if (platform_was_empty) config->set_platform(std::string(row.platform));
  const bool may_fill_file = platform_was_empty || !row.default_file_needs_empty_platform;
  if (config->default_model_filename().empty() && may_fill_file) {
    config->set_default_model_filename(std::string(row.file));
  }
}

// "model.<backend>" is the name of last resort.
absl::Status DeriveFromName(inference::ModelConfig* config) {
  const size_t dot = config->name().find('.');
  if (dot == std::string::npos || dot + 1 == config->name().size()) {
    return Invalid("Invalid model name: Could not determine backend for model '", config->name(),
                   "' with no backend in model configuration. Expected model name of the form "
                   "'model.<backend_name>'.");
  }
  config->set_backend(config->name().substr(dot + 1));
  config->set_default_model_filename(StrCat("model.", config->backend()));
  return absl::OkStatus();
}

// The version a folder name stands for, -1 when it is none.
int64_t VersionOf(const std::string& name) {
  int64_t version = -1;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, version);
  const bool has_leading_zero = name.size() > 1 && name[0] == '0';
  return error == std::errc() && stop == end && version >= 0 && !has_leading_zero ? version : -1;
}

absl::Status CannotList(const std::filesystem::path& path, const std::error_code& error) {
  return absl::InternalError(
      StrCat("failed to open directory ", path.string(), ": ", error.message()));
}

// Calls visit(entry) for each entry of `folder`; a dangling link is an entry like a file.
template <typename Visit>
absl::Status ForEachEntry(const std::filesystem::path& folder, const Visit& visit) {
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  for (const std::filesystem::directory_iterator end; !error && it != end; it.increment(error)) {
    visit(*it);
  }
  return error ? CannotList(folder, error) : absl::OkStatus();
}

bool IsDirectory(const std::filesystem::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_directory(ignored);
}

}  // namespace

absl::StatusOr<VersionEntries> ReadVersionEntries(const std::string& model_path) {
  int64_t newest = -1;
  NEREID_RETURN_IF_ERROR(ForEachEntry(model_path, [&](const auto& entry) {
    if (IsDirectory(entry)) newest = std::max(newest, VersionOf(entry.path().filename().string()));
  }));
  VersionEntries entries;
  if (newest < 0) return entries;
  const auto folder = std::filesystem::path(model_path) / std::to_string(newest);
  NEREID_RETURN_IF_ERROR(ForEachEntry(folder, [&](const auto& entry) {
    auto& names = IsDirectory(entry) ? entries.directories : entries.files;
    names.insert(entry.path().filename().string());
  }));
  return entries;
}

absl::Status DeriveBackend(std::string_view directory_name, const VersionEntries& entries,
                           inference::ModelConfig* config) {
  if (config->name().empty()) config->set_name(std::string(directory_name));
  ReplaceOldPlatform(config);
  if (const Row* row = FindRow(entries, *config)) {
    FillFrom(*row, config);
    return absl::OkStatus();
  }
  const bool nothing_is_known = config->backend().empty() && config->platform().empty() &&
                                config->default_model_filename().empty();
  return nothing_is_known ? DeriveFromName(config) : absl::OkStatus();
}

}  // namespace nereid
