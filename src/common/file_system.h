#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace nereid {

struct FileInfo {
  bool is_directory = false;
  bool is_regular = false;
  // The newer of the last change of content and the last change of attributes: nanoseconds since
  // the epoch.
  int64_t changed_ns = 0;
  uint64_t byte_size = 0;
};

// Files of this machine, injected where a test needs to hold them. Any thread. Symbolic links are
// followed. A missing path is NOT_FOUND, a forbidden one PERMISSION_DENIED, the rest INTERNAL;
// every message names the path and the system's reason.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<FileInfo> Stat(const std::string& path) const = 0;
  // Names directly inside a directory, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) const = 0;
  // Fails when the file is larger than `max_bytes`.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) const = 0;
  // Creates or replaces a file; its directory exists.
  virtual absl::Status WriteFile(const std::string& path, std::string_view content) const = 0;
  // With all missing parents. OK when it is there already.
  virtual absl::Status CreateDirectories(const std::string& path) const = 0;
  // A new, empty directory in `parent` that only this user may enter; returns its path.
  virtual absl::StatusOr<std::string> CreateTemporaryDirectory(const std::string& parent) const = 0;
  // A file or a directory with everything in it; links are removed, not followed. OK when missing.
  virtual absl::Status RemoveAll(const std::string& path) const = 0;

  // The machine's own; lives as long as the process.
  static const FileSystem& Real();
};

// `directory` and `name` with one slash between them.
std::string JoinPath(std::string_view directory, std::string_view name);
// TMPDIR when it is set, otherwise /tmp.
std::string TemporaryDirectory();

}  // namespace nereid
