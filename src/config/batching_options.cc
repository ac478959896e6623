#include "config/batching_options.h"

#include <algorithm>

#include "proto/model_config.pb.h"

namespace nereid {
namespace {

// Far enough to mean "never", near enough to be added to any time point without overflow.
constexpr std::chrono::microseconds kCentury = std::chrono::hours(24 * 36525);

std::chrono::microseconds Duration(uint64_t microseconds) {
  const uint64_t most = static_cast<uint64_t>(kCentury.count());
  return std::chrono::microseconds(static_cast<int64_t>(std::min(microseconds, most)));
}

QueuePolicy ReadQueuePolicy(const inference::ModelQueuePolicy& proto) {
  QueuePolicy policy;
  policy.timeout_action = proto.timeout_action() == inference::ModelQueuePolicy::DELAY
                              ? QueuePolicy::TimeoutAction::kDelay
                              : QueuePolicy::TimeoutAction::kReject;
  policy.default_timeout = Duration(proto.default_timeout_microseconds());
  policy.allow_timeout_override = proto.allow_timeout_override();
  policy.max_queue_size = proto.max_queue_size();
  return policy;
}

SchedulingKind KindOf(const inference::ModelConfig& config) {
  switch (config.scheduling_choice_case()) {
    case inference::ModelConfig::kDynamicBatching:
      return SchedulingKind::kDynamic;
    case inference::ModelConfig::kSequenceBatching:
      return SchedulingKind::kSequence;
    case inference::ModelConfig::kEnsembleScheduling:
      return SchedulingKind::kEnsemble;
    case inference::ModelConfig::SCHEDULING_CHOICE_NOT_SET:
      break;
  }
  return SchedulingKind::kDirect;
}

}  // namespace

BatchingOptions ReadBatchingOptions(const inference::ModelConfig& config) {
  BatchingOptions options;
  options.kind = KindOf(config);
  options.max_batch_size = config.max_batch_size();
  if (options.kind != SchedulingKind::kDynamic) return options;

  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  std::vector<int64_t>& preferred = options.preferred_batch_sizes;
  preferred.assign(batching.preferred_batch_size().begin(), batching.preferred_batch_size().end());
  std::sort(preferred.begin(), preferred.end());
  preferred.erase(std::unique(preferred.begin(), preferred.end()), preferred.end());
  options.max_queue_delay = Duration(batching.max_queue_delay_microseconds());
  options.preserve_ordering = batching.preserve_ordering();
  options.priority_levels = batching.priority_levels();
  options.default_priority_level = batching.default_priority_level();
  options.default_queue_policy = ReadQueuePolicy(batching.default_queue_policy());
  for (const auto& [level, policy] : batching.priority_queue_policy()) {
    options.level_queue_policies.emplace(level, ReadQueuePolicy(policy));
  }
  return options;
}

}  // namespace nereid
