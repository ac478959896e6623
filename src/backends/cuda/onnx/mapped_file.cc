#include "backends/cuda/onnx/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "common/file_descriptor.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

absl::Status SystemError(const std::string& path) {
  const int error = errno;
  const std::string message = StrCat("cannot read '", path, "': ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  return absl::InvalidArgumentError(message);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path,
                                                                   uint64_t max_bytes) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || fstat(file.get(), &status) != 0) return SystemError(path);
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(StrCat("'", path, "' is not a regular file"));
  }
  const auto size = static_cast<size_t>(status.st_size);
  if (size > max_bytes) {
    return absl::InvalidArgumentError(
        StrCat("'", path, "' has ", size, " bytes; at most ", max_bytes, " are allowed"));
  }
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(nullptr, 0));
  void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (bytes == MAP_FAILED) return SystemError(path);
  return std::shared_ptr<const MappedFile>(
      new MappedFile(static_cast<const std::byte*>(bytes), size));
}

MappedFile::~MappedFile() {
  if (bytes_ != nullptr) munmap(const_cast<std::byte*>(bytes_), size_);
}

}  // namespace nereid::engine
