#include "common/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

absl::Status ErrorOf(std::string_view what, const std::string& path, int error) {
  const std::string text =
      StrCat("failed to ", what, " ", path, ": ", std::system_category().message(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    default:
      return absl::InternalError(text);
  }
}

int64_t Nanoseconds(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * kNanosecondsPerSecond + time.tv_nsec;
}

// Owns a file descriptor.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int get() const { return descriptor_; }
  // Closes it now; 0 or the error.
  int Close() { return ::close(std::exchange(descriptor_, -1)) == 0 ? 0 : errno; }

 private:
  int descriptor_;
};

class RealFileSystem : public FileSystem {
 public:
  absl::StatusOr<FileInfo> Stat(const std::string& path) const override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return ErrorOf("stat file", path, errno);
    return FileInfo{.is_directory = S_ISDIR(info.st_mode),
                    .is_regular = S_ISREG(info.st_mode),
                    .changed_ns = std::max(Nanoseconds(info.st_mtim), Nanoseconds(info.st_ctim)),
                    .byte_size = static_cast<uint64_t>(info.st_size)};
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& path) const override {
    std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
    if (directory == nullptr) return ErrorOf("open directory", path, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return ErrorOf("read directory", path, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) const override {
    NEREID_ASSIGN_OR_RETURN(const FileInfo info, Stat(path));
    if (!info.is_regular) return absl::InternalError(StrCat(path, " is not a file"));
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return ErrorOf("open file", path, errno);
    std::string content;
    char block[64 << 10];
    for (;;) {
      const ssize_t got = ::read(file.get(), block, sizeof(block));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrorOf("read file", path, errno);
      if (got == 0) return content;
      if (content.size() + static_cast<size_t>(got) > max_bytes) {
        return absl::InternalError(StrCat(path, " is larger than ", max_bytes, " bytes"));
      }
      content.append(block, static_cast<size_t>(got));
    }
  }

  absl::Status WriteFile(const std::string& path, std::string_view content) const override {
    File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return ErrorOf("create file", path, errno);
    while (!content.empty()) {
      const ssize_t put = ::write(file.get(), content.data(), content.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return ErrorOf("write file", path, errno);
      content.remove_prefix(static_cast<size_t>(put));
    }
    if (const int error = file.Close(); error != 0) return ErrorOf("write file", path, error);
    return absl::OkStatus();
  }

  absl::Status CreateDirectories(const std::string& path) const override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    return error ? ErrorOf("create directory", path, error.value()) : absl::OkStatus();
  }

  absl::StatusOr<std::string> CreateTemporaryDirectory(const std::string& parent) const override {
    std::string path = JoinPath(parent, "folderXXXXXX");
    if (::mkdtemp(path.data()) == nullptr) return ErrorOf("create directory", path, errno);
    return path;
  }

  absl::Status RemoveAll(const std::string& path) const override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    return error ? ErrorOf("remove", path, error.value()) : absl::OkStatus();
  }
};

}  // namespace

const FileSystem& FileSystem::Real() {
  static const RealFileSystem real;
  return real;
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  while (!directory.empty() && directory.back() == '/') directory.remove_suffix(1);
  return StrCat(directory, "/", name);
}

std::string TemporaryDirectory() {
  const char* directory = std::getenv("TMPDIR");
  return directory != nullptr && *directory != '\0' ? directory : "/tmp";
}

}  // namespace nereid
