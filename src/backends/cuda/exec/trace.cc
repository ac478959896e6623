#include "backends/cuda/exec/trace.h"

#include <string>
#include <utility>

#include "backends/cuda/exec/run_once.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"

namespace nereid::engine {

Graph WithAllOutputs(Graph graph) {
  graph.outputs.clear();
  graph.output_dims.clear();
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.outputs) {
      if (id != kNoValue && IsFloating(graph.value(id).type)) graph.outputs.push_back(id);
    }
  }
  return graph;
}

absl::StatusOr<std::vector<Difference>> TraceNodes(Engine& engine,
                                                   absl::Span<const HostTensor> inputs) {
  std::vector<Shape> shapes;
  for (const HostTensor& input : inputs) shapes.push_back(input.shape());
  NEREID_ASSIGN_OR_RETURN(Graph graph, OptimizeFor(engine.model(), shapes));
  graph = WithAllOutputs(std::move(graph));
  NEREID_ASSIGN_OR_RETURN(auto program, engine.MakeProgram(graph, engine.options().program));
  NEREID_ASSIGN_OR_RETURN(const auto got, RunOnce(engine.context(), std::move(program), inputs));
  NEREID_ASSIGN_OR_RETURN(const auto want, EvaluateGraph(graph, inputs));
  std::vector<Difference> differences = CompareOutputs(graph, got, want);
  const std::vector<NodeId> producers = graph.Producers();
  for (size_t i = 0; i < differences.size(); ++i) {
    const NodeId producer = producers[static_cast<size_t>(graph.outputs[i])];
    differences[i].name = Describe(graph.nodes[static_cast<size_t>(producer)]);
  }
  return differences;
}

}  // namespace nereid::engine
