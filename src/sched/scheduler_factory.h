#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "infer/model_statistics.h"
#include "nereid/model_config.h"
#include "sched/scheduler.h"

namespace nereid {

// The scheduler that the configuration asks for, for instances that call NextBatch() with slots in
// [0, slots). `config`, `statistics` and `clock` outlive it. UNIMPLEMENTED for sequence batching
// and ensembles, which this build has no scheduler for.
absl::StatusOr<std::unique_ptr<Scheduler>> MakeScheduler(const ModelConfig& config,
                                                         ModelStatistics* statistics, int slots,
                                                         const TimeSource& clock);

}  // namespace nereid
