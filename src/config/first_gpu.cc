#include "config/first_gpu.h"

#include "proto/model_config.pb.h"

namespace nereid {

std::optional<int> FirstGpu(const ModelConfig& config) {
  for (const inference::ModelInstanceGroup& group : config.proto().instance_group()) {
    if (group.kind() != inference::ModelInstanceGroup::KIND_GPU) continue;
    return group.gpus().empty() ? 0 : group.gpus(0);
  }
  return std::nullopt;
}

}  // namespace nereid
