#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/onnx/importer.h"

namespace nereid::engine {

inline void Require(bool holds) {
  if (!holds) std::abort();
}

// The input as a model that is small enough to be tried often.
inline absl::StatusOr<ImportedModel> ImportInput(const uint8_t* data, size_t size) {
  ImportLimits limits;
  limits.max_nodes = 200;
  limits.max_messages = 5000;
  limits.max_depth = 4;
  limits.max_dense_bytes = 1 << 20;
  const auto bytes = std::make_shared<std::vector<uint8_t>>(data, data + size);
  return ImportOnnxBytes(bytes, bytes->data(), bytes->size(), "/nonexistent", limits);
}

}  // namespace nereid::engine
