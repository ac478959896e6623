#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace nereid::engine {

// A regular file mapped for reading as long as this lives. The file must not shrink meanwhile.
class MappedFile {
 public:
  // NOT_FOUND; INVALID_ARGUMENT when it is not a regular file or larger than `max_bytes`.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path,
                                                                uint64_t max_bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* bytes() const { return bytes_; }
  size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_), size_}; }

 private:
  MappedFile(const std::byte* bytes, size_t size) : bytes_(bytes), size_(size) {}

  const std::byte* const bytes_;
  const size_t size_;
};

}  // namespace nereid::engine
