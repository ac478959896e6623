// An ONNX file as a program for a GPU, and run by the reference executor: where all of it has
// device work, every value turns out to have the shape that the program was made for.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/exec/random_inputs.h"
#include "backends/cuda/lower/legalize.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/passes/algebra.h"
#include "backends/cuda/passes/pass.h"
#include "backends/cuda/passes/shape_inference.h"
#include "backends/cuda/plan/memory_planner.h"
#include "backends/cuda/reference/evaluator.h"
#include "fuzz/onnx_input.h"

namespace nereid::engine {
namespace {

constexpr int64_t kMostElements = 1 << 16;

bool IsSmall(const Graph& graph) {
  return std::ranges::all_of(graph.values, [](const Value& value) {
    int64_t count = 1;
    for (const int64_t extent : value.shape.value_or(Shape())) {
      if (extent > kMostElements) return false;
      count *= std::max<int64_t>(extent, 1);
      if (count > kMostElements) return false;
    }
    return true;
  });
}

// Whether all of it has device work.
bool Lower(Graph graph, Precision precision) {
  ProgramOptions options;
  options.precision.precision = precision;
  ConstantPool constants;
  if (!Legalize(graph, options.precision, constants).ok()) return false;
  Require(graph.Verify().ok());
  const auto program = LowerGraph(graph, LoweringFor(options));
  if (!program.ok()) return false;
  PlanMemory(LifetimesOf(*program));
  return std::ranges::none_of(program->steps,
                              [](const LoweredStep& step) { return RunsOnHost(step.spec); });
}

void Run(const Graph& graph, std::vector<HostTensor> inputs, bool on_device) {
  std::vector<std::optional<HostTensor>> values(graph.values.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    values[static_cast<size_t>(graph.inputs[i])] = std::move(inputs[i]);
  }
  const auto operand = [&](ValueId id) -> const HostTensor* {
    if (id == kNoValue) return nullptr;
    if (graph.value(id).is_constant()) return &*graph.value(id).constant;
    const auto& value = values[static_cast<size_t>(id)];
    return value ? &*value : nullptr;
  };
  for (const Node& node : graph.nodes) {
    std::vector<const HostTensor*> operands;
    for (const ValueId id : node.inputs) operands.push_back(operand(id));
    for (const ValueId id : CapturedValues(node)) operands.push_back(operand(id));
    auto results = EvaluateNode(graph, node, operands);
    if (!results.ok()) return;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.HasOutput(i)) continue;
      HostTensor& result = (*results)[i];
      if (on_device) Require(graph.value(node.outputs[i]).shape == result.shape());
      values[static_cast<size_t>(node.outputs[i])] = std::move(result);
    }
  }
}

}  // namespace

void Exercise(Graph graph) {
  if (!IsSmall(graph) || !RunPasses(LoadPasses(), graph).ok()) return;
  const std::vector<Shape> shapes = InputShapes(graph);
  auto special = Specialize(graph, shapes);
  if (!special.ok() || !IsSmall(*special)) return;
  Require(RunPasses(ShapePasses(), *special).ok());
  if (!IsSmall(*special)) return;
  Lower(*special, Precision::kFp16);
  const bool on_device = Lower(*special, Precision::kFp32);
  auto inputs = RandomInputs(*special, shapes, {}, 1);
  if (inputs.ok()) Run(*special, *std::move(inputs), on_device);
}

}  // namespace nereid::engine
