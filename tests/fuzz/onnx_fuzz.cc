// An ONNX file through everything that happens to it before anything is executed.

#include <algorithm>
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

// What is tested is the arithmetic of shapes, not that of many elements.
bool AreSmall(const std::vector<Shape>& shapes) {
  return std::ranges::all_of(shapes, [](const Shape& shape) {
    return std::ranges::all_of(shape, [](int64_t extent) { return extent <= 4096; });
  });
}

}  // namespace

void Exercise(Graph graph) {
  Require(graph.Verify().ok());
  if (!RunPasses(CleanupPasses(), graph).ok()) std::abort();
  // Shapes that contradict each other are refused here; no other pass may fail.
  if (!RunPasses(LoadPasses(), graph).ok()) return;
  const std::vector<Shape> shapes = InputShapes(graph);
  if (!AreSmall(shapes)) return;
  const auto special = Specialize(graph, shapes);
  if (!special.ok()) return;
  Graph fast = *special;
  Require(RunPasses(ShapePasses(), fast).ok());
  Require(fast.outputs.size() == graph.outputs.size());
}

}  // namespace nereid::engine
