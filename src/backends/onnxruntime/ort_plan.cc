#include "backends/onnxruntime/ort_plan.h"

#include <algorithm>

namespace nereid::ort {
namespace {

int FindBatchInput(const std::vector<BatchInputRule>& rules, const std::string& name) {
  for (size_t i = 0; i < rules.size(); ++i) {
    if (std::ranges::find(rules[i].targets, name) != rules[i].targets.end()) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

InputSlot MakeInput(const Plan& plan, const ModelConfig& config, const GraphTensor& tensor) {
  InputSlot slot;
  slot.name = tensor.name;
  slot.data_type = tensor.data_type;
  slot.is_scalar = tensor.dims.empty();
  slot.batch_input = FindBatchInput(plan.batch_inputs, tensor.name);
  slot.gather = GatherRule::For(config, tensor.name, tensor.data_type);
  return slot;
}

OutputSlot MakeOutput(const Plan& plan, const TensorSpec& spec, const GraphDescription& graph) {
  OutputSlot slot;
  slot.spec = &spec;
  slot.data_type = spec.data_type;
  const auto tensor = std::ranges::find(graph.outputs, spec.name, &GraphTensor::name);
  if (tensor == graph.outputs.end()) return slot;
  const size_t batch_dims = plan.model_batches ? 1 : 0;
  if (tensor->dims.size() < batch_dims) return slot;
  slot.known_shape.assign(tensor->dims.begin() + batch_dims, tensor->dims.end());
  slot.has_known_shape = ElementByteSize(spec.data_type) > 0 &&
                         !plan.scatter.source_inputs.contains(spec.name) &&
                         std::ranges::none_of(slot.known_shape, [](int64_t n) { return n < 0; });
  return slot;
}

}  // namespace

Plan MakePlan(const ModelConfig& config, const GraphDescription& graph) {
  Plan plan;
  plan.model_batches = config.max_batch_size() > 0;
  plan.batch_inputs = BatchInputRules(config);
  plan.scatter = ScatterRules::For(config);
  for (const GraphTensor& tensor : graph.inputs) {
    plan.inputs.push_back(MakeInput(plan, config, tensor));
  }
  for (const GraphTensor& tensor : graph.overridable) {
    if (config.FindInput(tensor.name) != nullptr) {
      plan.inputs.push_back(MakeInput(plan, config, tensor));
    }
  }
  for (const TensorSpec& spec : config.outputs()) {
    plan.outputs.push_back(MakeOutput(plan, spec, graph));
  }
  return plan;
}

}  // namespace nereid::ort
