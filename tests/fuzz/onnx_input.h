#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/onnx/importer.h"

namespace nereid::engine {

inline void Require(bool holds) {
  if (!holds) std::abort();
}

// What a fuzzer does with an ONNX file; each has its own.
void Exercise(Graph graph);

// Of the graph's inputs, open extents 2.
inline std::vector<Shape> InputShapes(const Graph& graph) {
  std::vector<Shape> shapes;
  for (const ValueId id : graph.inputs) {
    Shape shape = graph.value(id).shape.value_or(Shape());
    for (int64_t& extent : shape) extent = extent < 0 ? 2 : extent;
    shapes.push_back(std::move(shape));
  }
  return shapes;
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

extern "C" inline __attribute__((used)) int LLVMFuzzerTestOneInput(const uint8_t* data,
                                                                   size_t size) {
  const auto model = nereid::engine::ImportInput(data, size);
  if (model.ok()) nereid::engine::Exercise(*model->graph);
  return 0;
}
