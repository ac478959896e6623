#include "config/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "common/strings.h"

namespace nereid {
namespace {

absl::Status CannotOpen(const std::string& path, std::string_view why) {
  return absl::InternalError(StrCat("failed to open text file for read ", path, ": ", why));
}

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t max_bytes) {
  // Opening a pipe would wait for its writer.
  std::error_code missing;
  const auto status = std::filesystem::status(path, missing);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return CannotOpen(path, "not a regular file");
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) return CannotOpen(path, std::strerror(errno));
  std::string text;
  char block[16384];
  while (const size_t count = std::fread(block, 1, sizeof block, file.get())) {
    if (text.size() + count > max_bytes) {
      return CannotOpen(path, StrCat("larger than ", max_bytes, " bytes"));
    }
    text.append(block, count);
  }
  if (std::ferror(file.get()) != 0) return CannotOpen(path, std::strerror(errno));
  return text;
}

}  // namespace nereid
