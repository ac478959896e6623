#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "config/graph.h"
#include "nereid/config_proposal.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// True when every input and output leads with an unknown extent, so that requests can be stacked.
bool GraphCanBatch(const GraphDescription& graph);

// What a graph adds to a configuration that leaves tensors out: whole lists of inputs and outputs,
// a batch size of `default_max_batch_size` when the graph can batch and none was given, and the
// dynamic batcher. Nothing when NeedsCompletion() is false. INVALID_ARGUMENT when the configuration
// wants a batch the graph cannot take.
absl::StatusOr<ConfigProposal> CompleteFromGraph(const inference::ModelConfig& config,
                                                 const GraphDescription& graph,
                                                 int default_max_batch_size);

// The backend setting `default-max-batch-size`; 4 when absent. INVALID_ARGUMENT when it is no
// number.
absl::StatusOr<int> DefaultMaxBatchSize(const std::map<std::string, std::string>& settings);

}  // namespace nereid
