#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

namespace inference {
class ModelConfig;
}

namespace nereid {

// What becomes of requests that wait in one priority level.
struct QueuePolicy {
  enum class TimeoutAction : uint8_t {
    kReject,  // UNAVAILABLE
    kDelay,   // behind every request of the level that has not expired
  };
  TimeoutAction timeout_action = TimeoutAction::kReject;
  std::chrono::microseconds default_timeout{0};  // 0: none
  // A request's own timeout counts when it is set and shorter than the default.
  bool allow_timeout_override = false;
  uint32_t max_queue_size = 0;  // 0: no limit
};

enum class SchedulingKind : uint8_t { kDirect, kDynamic, kSequence, kEnsemble };

// The scheduling part of a configuration that is normalised and validated, in the types that
// schedulers work with. Durations beyond a century are a century.
struct BatchingOptions {
  SchedulingKind kind = SchedulingKind::kDirect;
  int64_t max_batch_size = 0;                  // 0: the model does not batch
  std::vector<int64_t> preferred_batch_sizes;  // ascending, no size twice
  std::chrono::microseconds max_queue_delay{0};
  bool preserve_ordering = false;
  uint64_t priority_levels = 0;  // 0: one queue; else 1 is the most urgent
  uint64_t default_priority_level = 0;
  QueuePolicy default_queue_policy;
  std::map<uint64_t, QueuePolicy> level_queue_policies;
};

BatchingOptions ReadBatchingOptions(const inference::ModelConfig& config);

}  // namespace nereid
