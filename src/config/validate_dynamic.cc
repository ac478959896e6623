#include "common/status_macros.h"
#include "common/strings.h"
#include "config/invalid.h"
#include "config/validate_parts.h"
#include "proto/model_config.pb.h"

namespace nereid::config_internal {
namespace {

using inference::ModelConfig;
using inference::ModelDynamicBatching;
using inference::ModelQueuePolicy;

absl::Status InvalidFor(std::string_view what, const ModelConfig& config) {
  return Invalid(what, " for ", config.name());
}

absl::Status ValidatePreferredSizes(const ModelConfig& config) {
  for (const int size : config.dynamic_batching().preferred_batch_size()) {
    if (size <= 0) return InvalidFor("dynamic batching preferred size must be positive", config);
    if (size > config.max_batch_size()) {
      return InvalidFor("dynamic batching preferred size must be <= max batch size", config);
    }
  }
  return absl::OkStatus();
}

absl::Status ValidatePriorityLevels(const ModelConfig& config) {
  const ModelDynamicBatching& batching = config.dynamic_batching();
  const uint64_t levels = batching.priority_levels();
  if (levels == 0) return absl::OkStatus();
  const auto in_range = [&](uint64_t level) { return level >= 1 && level <= levels; };
  if (!in_range(batching.default_priority_level())) {
    return InvalidFor(StrCat("default priority level must be in range [1, ", levels, "]"), config);
  }
  for (const auto& [level, policy] : batching.priority_queue_policy()) {
    if (in_range(level)) continue;
    return InvalidFor(
        StrCat("priority queue policy must have priority level in range [1, ", levels, "]"),
        config);
  }
  return absl::OkStatus();
}

// A delayed request leaves after later ones.
bool BreaksOrder(const ModelQueuePolicy& policy) {
  return policy.default_timeout_microseconds() != 0 &&
         policy.timeout_action() == ModelQueuePolicy::DELAY;
}

absl::Status ValidateOrdering(const ModelConfig& config) {
  const ModelDynamicBatching& batching = config.dynamic_batching();
  if (!batching.preserve_ordering()) return absl::OkStatus();
  if (batching.priority_levels() > 1) {
    return InvalidFor("Only one priority level is allowed when 'preserve_ordering' is true",
                      config);
  }
  bool breaks_order = BreaksOrder(batching.default_queue_policy());
  for (const auto& [level, policy] : batching.priority_queue_policy()) {
    breaks_order = breaks_order || BreaksOrder(policy);
  }
  if (!breaks_order) return absl::OkStatus();
  return InvalidFor(
      "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true", config);
}

}  // namespace

absl::Status ValidateDynamicBatching(const ModelConfig& config) {
  if (!config.has_dynamic_batching()) return absl::OkStatus();
  NEREID_RETURN_IF_ERROR(ValidatePreferredSizes(config));
  NEREID_RETURN_IF_ERROR(ValidatePriorityLevels(config));
  return ValidateOrdering(config);
}

}  // namespace nereid::config_internal
