#include "config/graph_completion.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "common/log.h"
#include "config/complete.h"
#include "config/invalid.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

constexpr int kBuiltInDefaultMaxBatchSize = 4;

bool LeadsWithUnknown(const GraphTensor& tensor) {
  return !tensor.dims.empty() && tensor.dims.front() == -1;
}

// A tensor without extents of its own is written [1]; a batching model's backend sees [batch].
TensorSpec SpecOf(const GraphTensor& tensor, bool batching) {
  TensorSpec spec;
  spec.name = tensor.name;
  spec.data_type = tensor.data_type;
  spec.dims.assign(tensor.dims.begin() + (batching ? 1 : 0), tensor.dims.end());
  if (spec.dims.empty()) {
    spec.dims = {1};
    if (batching) spec.reshape.emplace();
  }
  return spec;
}

std::vector<TensorSpec> SpecsOf(const std::vector<GraphTensor>& tensors, bool batching) {
  std::vector<TensorSpec> specs;
  for (const GraphTensor& tensor : tensors) {
    specs.push_back(SpecOf(tensor, batching));
    specs.back().index = static_cast<int>(specs.size()) - 1;
  }
  return specs;
}

absl::StatusOr<int> ChooseMaxBatchSize(const inference::ModelConfig& config, bool can_batch,
                                       int default_max_batch_size) {
  const int wanted = config.max_batch_size();
  if (!can_batch && wanted != 0) {
    return Invalid("autofill failed for model '", config.name(),
                   "': model does not support batching while non-zero max_batch_size is "
                   "specified");
  }
  if (!can_batch || wanted != 0) return wanted;
  const int chosen = std::max(default_max_batch_size, 0);
  NLOG(Warning) << "model '" << config.name() << "' can batch and sets no max_batch_size: using "
                << chosen;
  return chosen;
}

}  // namespace

bool GraphCanBatch(const GraphDescription& graph) {
  return std::all_of(graph.inputs.begin(), graph.inputs.end(), LeadsWithUnknown) &&
         std::all_of(graph.outputs.begin(), graph.outputs.end(), LeadsWithUnknown);
}

absl::StatusOr<ConfigProposal> CompleteFromGraph(const inference::ModelConfig& config,
                                                 const GraphDescription& graph,
                                                 int default_max_batch_size) {
  ConfigProposal proposal;
  if (!NeedsCompletion(config)) return proposal;
  absl::StatusOr<int> max_batch_size =
      ChooseMaxBatchSize(config, GraphCanBatch(graph), default_max_batch_size);
  if (!max_batch_size.ok()) return max_batch_size.status();
  proposal.max_batch_size = *max_batch_size;
  proposal.enable_dynamic_batching =
      *max_batch_size > 1 && !config.has_dynamic_batching() && !config.has_sequence_batching();
  const bool batching = *max_batch_size > 0;
  if (config.input().empty()) proposal.inputs = SpecsOf(graph.inputs, batching);
  if (config.output().empty()) proposal.outputs = SpecsOf(graph.outputs, batching);
  return proposal;
}

absl::StatusOr<int> DefaultMaxBatchSize(const std::map<std::string, std::string>& settings) {
  const auto found = settings.find("default-max-batch-size");
  if (found == settings.end()) return kBuiltInDefaultMaxBatchSize;
  int value = 0;
  if (absl::SimpleAtoi(found->second, &value)) return value;
  return Invalid("backend setting default-max-batch-size: '", found->second, "' is not an integer");
}

}  // namespace nereid
