#include "sched/scheduler_factory.h"

#include "common/strings.h"
#include "config/batching_options.h"
#include "sched/alarm_clock.h"
#include "sched/direct_scheduler.h"
#include "sched/dynamic_batcher.h"

namespace nereid {

absl::StatusOr<std::unique_ptr<Scheduler>> MakeScheduler(const ModelConfig& config,
                                                         ModelStatistics* statistics, int slots,
                                                         const TimeSource& clock) {
  const BatchingOptions options = ReadBatchingOptions(config.proto());
  switch (options.kind) {
    case SchedulingKind::kDirect:
      return std::make_unique<DirectScheduler>(statistics, slots, clock);
    case SchedulingKind::kDynamic:
      return std::make_unique<DynamicBatcher>(
          config, options, statistics, slots, clock,
          &clock == &TimeSource::Real() ? &AlarmClock::Shared() : nullptr);
    case SchedulingKind::kSequence:
    case SchedulingKind::kEnsemble:
      break;
  }
  const bool is_sequence = options.kind == SchedulingKind::kSequence;
  return absl::UnimplementedError(StrCat("model '", config.name(), "' needs ",
                                         is_sequence ? "sequence batching" : "ensemble scheduling",
                                         ", which is not supported"));
}

}  // namespace nereid
