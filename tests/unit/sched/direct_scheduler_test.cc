#include "sched/direct_scheduler.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/sched/sched_test_util.h"

namespace nereid {
namespace {

using std::chrono::milliseconds;
using testing::MakeRequest;
using testing::RequestSpec;
using testing::TestRequest;

// With one slot and with several the scheduler takes different ways through its queue.
class DirectSchedulerTest : public ::testing::TestWithParam<int> {
 protected:
  std::shared_ptr<testing::SinkRecord> Enqueue(const RequestSpec& spec) {
    TestRequest made = MakeRequest(spec);
    scheduler_->Enqueue(std::move(made.request));
    return made.record;
  }
  // The id of the next request; empty when there is none now.
  std::string Poll() {
    std::optional<Batch> batch = scheduler_->NextBatch(0, TimePoint());
    if (!batch) return "";
    EXPECT_EQ(batch->size(), 1u);
    batch->request(0).Respond({});
    return batch->request(0).id;
  }
  uint64_t pending() const { return statistics_.Read().pending; }

  testing::ManualClock clock_;
  ModelStatistics statistics_;
  std::unique_ptr<DirectScheduler> scheduler_ =
      std::make_unique<DirectScheduler>(&statistics_, GetParam(), clock_);
};

INSTANTIATE_TEST_SUITE_P(Slots, DirectSchedulerTest, ::testing::Values(1, 3));

TEST_P(DirectSchedulerTest, HandsOutOneRequestAtATimeInOrderOfArrival) {
  EXPECT_EQ(Poll(), "");
  for (const char* id : {"a", "b", "c"}) Enqueue({.id = id, .priority = 5});
  EXPECT_EQ(scheduler_->QueueLength(), 3);
  EXPECT_EQ(Poll(), "a");
  Enqueue({.id = "d"});
  EXPECT_EQ(scheduler_->QueueLength(), 3);
  EXPECT_EQ(pending(), 3u);
  EXPECT_EQ(Poll(), "b");
  EXPECT_EQ(Poll(), "c");
  EXPECT_EQ(Poll(), "d");
  EXPECT_EQ(Poll(), "");
  EXPECT_EQ(scheduler_->QueueLength(), 0);
  EXPECT_EQ(pending(), 0u);
}

TEST_P(DirectSchedulerTest, AnswersTheCancelledAndTheLateInsteadOfExecutingThem) {
  Enqueue({.id = "a"});
  auto cancelled = Enqueue({.id = "b"});
  auto late = Enqueue({.id = "c", .deadline = clock_.Now() + milliseconds(1)});
  Enqueue({.id = "d"});
  EXPECT_EQ(Poll(), "a");
  cancelled->Cancel();
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(Poll(), "d");
  EXPECT_EQ(cancelled->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(late->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pending(), 0u);
}

TEST_P(DirectSchedulerTest, RefusesTheDeadAtTheDoor) {
  TestRequest cancelled = MakeRequest();
  cancelled.record->Cancel();
  scheduler_->Enqueue(std::move(cancelled.request));
  EXPECT_EQ(cancelled.record->status().code(), absl::StatusCode::kCancelled);
  auto late = Enqueue({.deadline = clock_.Now()});
  EXPECT_EQ(late->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pending(), 0u);
}

TEST_P(DirectSchedulerTest, ATimeoutParameterHasNoEffect) {
  Enqueue({.id = "a", .timeout = std::chrono::microseconds(1)});
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(Poll(), "a");
}

TEST_P(DirectSchedulerTest, ClosedItRefusesAndHandsOutTheRest) {
  Enqueue({.id = "a"});
  Enqueue({.id = "b"});
  EXPECT_EQ(Poll(), "a");
  scheduler_->Close();
  auto refused = Enqueue({.id = "c"});
  EXPECT_EQ(refused->status(),
            absl::UnavailableError("[request id: c] Server is stopping, scheduler for model has "
                                   "stopped accepting new inference requests"));
  EXPECT_FALSE(scheduler_->Drained());
  EXPECT_EQ(Poll(), "b");
  EXPECT_TRUE(scheduler_->Drained());
  EXPECT_FALSE(scheduler_->NextBatch(0, TimePoint::max()).has_value());
}

TEST_P(DirectSchedulerTest, AnswersWhatIsLeftWhenItGoes) {
  Enqueue({.id = "a"});
  auto left = Enqueue({.id = "b"});
  EXPECT_EQ(Poll(), "a");
  scheduler_.reset();
  EXPECT_EQ(left->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(pending(), 0u);
}

}  // namespace
}  // namespace nereid
