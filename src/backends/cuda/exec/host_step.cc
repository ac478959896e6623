#include "backends/cuda/exec/host_step.h"

#include <algorithm>

#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// A value the node reads: fetched, or a constant.
const HostTensor* Find(const Graph& graph, const HostSpec& spec,
                       const std::vector<HostTensor>& fetched, ValueId id) {
  if (id == kNoValue) return nullptr;
  if (graph.value(id).is_constant()) return &*graph.value(id).constant;
  const auto at = std::ranges::find(spec.inputs, id) - spec.inputs.begin();
  return &fetched[static_cast<size_t>(at)];
}

}  // namespace

absl::Status RunHostStep(const Graph& graph, const HostSpec& spec,
                         absl::Span<const DevicePointer> inputs,
                         absl::Span<const DevicePointer> outputs, const Stream& stream) {
  const Node& node = graph.nodes[static_cast<size_t>(spec.node)];
  std::vector<HostTensor> fetched;
  for (size_t i = 0; i < spec.inputs.size(); ++i) {
    const Value& value = graph.value(spec.inputs[i]);
    fetched.emplace_back(value.type, *value.shape);
    NEREID_RETURN_IF_ERROR(stream.CopyToHost(fetched.back().mutable_data<std::byte>(), inputs[i],
                                             fetched.back().byte_size()));
  }
  NEREID_RETURN_IF_ERROR(stream.Synchronize());
  std::vector<const HostTensor*> operands;
  for (const ValueId id : node.inputs) operands.push_back(Find(graph, spec, fetched, id));
  for (const ValueId id : CapturedValues(node)) {
    operands.push_back(Find(graph, spec, fetched, id));
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> results,
                          EvaluateNode(graph, node, operands));
  size_t next = 0;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.HasOutput(i)) continue;
    const Value& value = graph.value(node.outputs[i]);
    if (results[i].type() != value.type || results[i].shape() != *value.shape) {
      return absl::InternalError(StrCat(Describe(node), " made ", ShapeToString(results[i].shape()),
                                        ", not ", ShapeToString(*value.shape)));
    }
    NEREID_RETURN_IF_ERROR(
        stream.CopyToDevice(outputs[next++], results[i].bytes(), results[i].byte_size()));
  }
  return stream.Synchronize();
}

}  // namespace nereid::engine
