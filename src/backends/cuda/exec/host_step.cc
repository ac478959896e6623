#include "backends/cuda/exec/host_step.h"

#include <utility>

#include "backends/cuda/lower/on_host.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

HostTensor& At(HostSlots& slots, int slot) { return slots[static_cast<size_t>(slot)]; }

}  // namespace

absl::Status FetchOperands(const Graph& graph, const HostSpec& spec,
                           absl::Span<const DevicePointer> inputs, const Stream& stream,
                           HostSlots& slots) {
  if (spec.fetch.empty()) return absl::OkStatus();
  for (size_t i = 0; i < spec.fetch.size(); ++i) {
    const Value& value = graph.value(spec.fetch[i].value);
    HostTensor& tensor = At(slots, spec.fetch[i].slot);
    tensor = HostTensor(value.type, *value.shape);
    NEREID_RETURN_IF_ERROR(
        stream.CopyToHost(tensor.mutable_data<std::byte>(), inputs[i], tensor.byte_size()));
  }
  return stream.Synchronize();
}

absl::Status Evaluate(const Graph& graph, const HostSpec& spec, HostSlots& slots) {
  const Node& node = graph.nodes[static_cast<size_t>(spec.node)];
  const Work work = WorkOf(graph, node);
  std::vector<ValueId> reads(work.node.inputs.begin(), work.node.inputs.end());
  const std::vector<ValueId> captured = CapturedValues(work.node);
  reads.insert(reads.end(), captured.begin(), captured.end());
  std::vector<const HostTensor*> operands;
  for (size_t i = 0; i < reads.size(); ++i) {
    if (spec.operands[i] >= 0) {
      operands.push_back(&At(slots, spec.operands[i]));
    } else {
      operands.push_back(reads[i] == kNoValue ? nullptr : &*work.graph.value(reads[i]).constant);
    }
  }
  NEREID_ASSIGN_OR_RETURN(std::vector<HostTensor> results,
                          EvaluateNode(work.graph, work.node, operands));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.HasOutput(i)) continue;
    const Value& value = graph.value(node.outputs[i]);
    if (HasPlace(value) &&
        (results[i].type() != value.type || results[i].shape() != *value.shape)) {
      return absl::InternalError(StrCat(Describe(work.node), " made ",
                                        ShapeToString(results[i].shape()), ", not ",
                                        ShapeToString(*value.shape)));
    }
    At(slots, spec.results[i]) = std::move(results[i]);
  }
  return absl::OkStatus();
}

absl::Status SendResults(const HostSpec& spec, absl::Span<const DevicePointer> outputs,
                         const Stream& stream, const HostSlots& slots) {
  if (spec.send.empty()) return absl::OkStatus();
  for (size_t i = 0; i < spec.send.size(); ++i) {
    const HostTensor& tensor = slots[static_cast<size_t>(spec.send[i].slot)];
    NEREID_RETURN_IF_ERROR(stream.CopyToDevice(outputs[i], tensor.bytes(), tensor.byte_size()));
  }
  return stream.Synchronize();
}

}  // namespace nereid::engine
