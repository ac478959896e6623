// An ONNX file through everything that happens to it before anything is executed.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "backends/cuda/passes/algebra.h"
#include "backends/cuda/passes/pass.h"
#include "backends/cuda/passes/shape_inference.h"
#include "fuzz/onnx_input.h"

namespace nereid::engine {
namespace {

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
  const auto model = nereid::engine::ImportInput(data, size);
  if (model.ok()) nereid::engine::Exercise(*model->graph);
  return 0;
}
