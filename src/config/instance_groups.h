#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "nereid/instance_context.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// The devices instances may be placed on.
struct DeviceInventory {
  bool gpu_support = false;      // whether this server can drive GPUs at all
  std::vector<int> usable_gpus;  // ordinals with sufficient compute capability, ascending
  double min_compute_capability = 7.5;
};

// Gives every group a name, a kind other than AUTO, a count and its GPUs; makes the one group of a
// model that lists none. Ensembles have no instances and stay as they are. `preferred` are the
// backend's wishes, best first. Applying it twice changes nothing more.
void NormalizeInstanceGroups(const DeviceInventory& devices,
                             absl::Span<const PreferredGroup> preferred,
                             inference::ModelConfig* config);

// Checks groups that were normalised. INVALID_ARGUMENT in the words of the configuration reference.
absl::Status ValidateInstanceGroups(const inference::ModelConfig& config,
                                    const DeviceInventory& devices);

// One instance to be made.
struct PlannedInstance {
  InstanceContext context;
  bool passive = false;  // made, but given no work
  std::string host_policy;
};

// The instances of normalised groups in order of creation: "<group>_<i>" for each count, on each
// listed GPU.
std::vector<PlannedInstance> PlanInstances(const inference::ModelConfig& config);

}  // namespace nereid
