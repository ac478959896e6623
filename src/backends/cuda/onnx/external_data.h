#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/onnx/mapped_file.h"
#include "backends/cuda/onnx/proto.h"

namespace nereid::engine {

// The files beside the model that hold its weights, each mapped once. Not for concurrent use.
class ExternalData {
 public:
  struct Range {
    std::shared_ptr<const MappedFile> file;
    const std::byte* bytes = nullptr;
  };

  // Files lie in `directory` or below it; all together have at most `max_bytes`.
  ExternalData(std::string directory, uint64_t max_bytes)
      : directory_(std::move(directory)), bytes_left_(max_bytes) {}

  // The `size` bytes of `tensor`. INVALID_ARGUMENT when its place leads out of the folder or out of
  // the file.
  absl::StatusOr<Range> Find(const TensorProto& tensor, uint64_t size);
  // Those that have been asked for, in the order of their names.
  std::vector<std::shared_ptr<const MappedFile>> files() const;

 private:
  absl::StatusOr<std::shared_ptr<const MappedFile>> Open(std::string_view location);

  const std::string directory_;
  uint64_t bytes_left_;
  std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>> files_;
};

}  // namespace nereid::engine
