// An ONNX file through everything that happens to it before anything is executed.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "backends/cuda/onnx/importer.h"
#include "backends/cuda/passes/algebra.h"
#include "backends/cuda/passes/pass.h"
#include "backends/cuda/passes/shape_inference.h"

namespace nereid::engine {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::vector<Shape> InputShapes(const Graph& graph) {
  std::vector<Shape> shapes;
  for (const ValueId id : graph.inputs) {
    Shape shape = graph.value(id).shape.value_or(Shape());
    for (int64_t& extent : shape) {
      if (extent < 0) extent = 2;
      // What is tested is the arithmetic of shapes, not that of many elements.
      if (extent > 4096) return {};
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

void Exercise(Graph graph) {
  Require(graph.Verify().ok());
  if (!RunPasses(CleanupPasses(), graph).ok()) std::abort();
  // Shapes that contradict each other are refused here; no other pass may fail.
  if (!RunPasses(LoadPasses(), graph).ok()) return;
  const auto special = Specialize(graph, InputShapes(graph));
  if (!special.ok()) return;
  Graph fast = *special;
  Require(RunPasses(ShapePasses(), fast).ok());
  Require(fast.outputs.size() == graph.outputs.size());
}

}  // namespace
}  // namespace nereid::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  nereid::engine::ImportLimits limits;
  limits.max_nodes = 200;
  limits.max_messages = 5000;
  limits.max_depth = 4;
  limits.max_dense_bytes = 1 << 20;
  const auto bytes = std::make_shared<std::vector<uint8_t>>(data, data + size);
  const auto model =
      nereid::engine::ImportOnnxBytes(bytes, bytes->data(), bytes->size(), "/nonexistent", limits);
  if (model.ok()) nereid::engine::Exercise(*model->graph);
  return 0;
}
