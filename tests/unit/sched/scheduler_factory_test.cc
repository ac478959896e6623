#include "sched/scheduler_factory.h"

#include <gtest/gtest.h>

#include <string>

#include "sched/direct_scheduler.h"
#include "sched/dynamic_batcher.h"
#include "unit/sched/sched_test_util.h"

namespace nereid {
namespace {

absl::StatusOr<std::unique_ptr<Scheduler>> Make(const std::string& scheduling) {
  static ModelStatistics statistics;
  const auto config = testing::ConfigFromText(
      R"(name: "m" backend: "identity" max_batch_size: 4
         input { name: "A" data_type: TYPE_FP32 dims: [ 4 ] }
         output { name: "Y" data_type: TYPE_FP32 dims: [ 4 ] } )" +
      scheduling);
  return MakeScheduler(*config, &statistics, 2, TimeSource::Real());
}

TEST(SchedulerFactory, IsDirectUnlessBatchingIsAskedFor) {
  auto scheduler = Make("");
  ASSERT_TRUE(scheduler.ok());
  EXPECT_NE(dynamic_cast<DirectScheduler*>(scheduler->get()), nullptr);
}

TEST(SchedulerFactory, BatchesWhenAskedTo) {
  auto scheduler = Make("dynamic_batching { }");
  ASSERT_TRUE(scheduler.ok());
  EXPECT_NE(dynamic_cast<DynamicBatcher*>(scheduler->get()), nullptr);
}

TEST(SchedulerFactory, NamesWhatItHasNoSchedulerFor) {
  EXPECT_EQ(Make("sequence_batching { }").status(),
            absl::UnimplementedError("model 'm' needs sequence batching, which is not supported"));
  EXPECT_EQ(
      Make("ensemble_scheduling { }").status(),
      absl::UnimplementedError("model 'm' needs ensemble scheduling, which is not supported"));
}

}  // namespace
}  // namespace nereid
