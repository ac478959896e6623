#include "backends/cuda/onnx/external_data.h"

#include <charconv>
#include <filesystem>
#include <optional>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool StaysInside(std::string_view location) {
  if (location.empty() || location.find('\0') != std::string_view::npos) return false;
  if (location.find('\\') != std::string_view::npos) return false;
  const std::filesystem::path path(location);
  if (path.is_absolute()) return false;
  for (const auto& part : path) {
    if (part == "..") return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> ExternalData::Open(std::string_view location) {
  if (const auto found = files_.find(location); found != files_.end()) return found->second;
  if (!StaysInside(location)) {
    return absl::InvalidArgumentError(
        StrCat("external data '", location, "' is not in the model's folder"));
  }
  const auto path = std::filesystem::path(directory_) / location;
  NEREID_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path.string(), bytes_left_));
  bytes_left_ -= file->size();
  files_.emplace(location, file);
  return file;
}

absl::StatusOr<ExternalData::Range> ExternalData::Find(const TensorProto& tensor, uint64_t size) {
  std::string_view location;
  std::optional<uint64_t> offset = 0;
  std::optional<uint64_t> length = size;
  for (const auto& [key, value] : tensor.external_data) {
    if (key == "location") location = value;
    if (key == "offset") offset = ParseNumber(value);
    if (key == "length") length = ParseNumber(value);
  }
  if (!offset.has_value() || !length.has_value()) {
    return absl::InvalidArgumentError("offset or length of the external data is not a number");
  }
  if (*length != size) {
    return absl::InvalidArgumentError(
        StrCat("external data has ", *length, " bytes where the tensor needs ", size));
  }
  NEREID_ASSIGN_OR_RETURN(auto file, Open(location));
  if (*offset > file->size() || size > file->size() - *offset) {
    return absl::InvalidArgumentError(
        StrCat("external data '", location, "' ends before the tensor's last byte"));
  }
  const std::byte* bytes = file->bytes() + *offset;
  return Range{std::move(file), bytes};
}

std::vector<std::shared_ptr<const MappedFile>> ExternalData::files() const {
  std::vector<std::shared_ptr<const MappedFile>> files;
  for (const auto& [name, file] : files_) files.push_back(file);
  return files;
}

}  // namespace nereid::engine
