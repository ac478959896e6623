#include "sched/dynamic_batcher.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "unit/sched/sched_test_util.h"

namespace nereid {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::AddInput;
using testing::DynamicOptions;
using testing::MakeRequest;
using testing::RequestSpec;
using testing::TestRequest;
using Ids = std::vector<std::string>;

// A batcher under a hand-moved clock. Polling with a deadline that has passed never blocks.
class DynamicBatcherTest : public ::testing::Test {
 protected:
  void Make(const BatchingOptions& options,
            std::shared_ptr<const ModelConfig> config = testing::FixedShapeModel()) {
    config_ = std::move(config);
    batcher_ = std::make_unique<DynamicBatcher>(*config_, options, &statistics_, 2, clock_);
  }
  std::shared_ptr<testing::SinkRecord> Enqueue(const RequestSpec& spec, Shape shape = {}) {
    TestRequest made = MakeRequest(spec);
    if (!shape.empty()) AddInput(*made.request, config_->inputs()[0], shape);
    batcher_->Enqueue(std::move(made.request));
    return made.record;
  }
  Ids Poll() {
    std::optional<Batch> batch = batcher_->NextBatch(0, TimePoint());
    Ids ids;
    if (batch) {
      for (size_t i = 0; i < batch->size(); ++i) {
        ids.push_back(batch->request(i).id);
        batch->request(i).Respond({});
      }
    }
    return ids;
  }
  uint64_t pending() const { return statistics_.Read().pending; }

  testing::ManualClock clock_;
  ModelStatistics statistics_;
  std::shared_ptr<const ModelConfig> config_;
  std::unique_ptr<DynamicBatcher> batcher_;
};

TEST_F(DynamicBatcherTest, TakesWhatWaitsWhenThereIsNoDelay) {
  Make(DynamicOptions(4));
  EXPECT_EQ(Poll(), Ids{});
  for (const char* id : {"a", "b", "c", "d", "e"}) Enqueue({.id = id});
  EXPECT_EQ(batcher_->QueueLength(), 5);
  EXPECT_EQ(pending(), 5u);
  EXPECT_EQ(Poll(), (Ids{"a", "b", "c", "d"}));
  EXPECT_EQ(pending(), 1u);
  EXPECT_EQ(Poll(), (Ids{"e"}));
  EXPECT_EQ(Poll(), Ids{});
  EXPECT_EQ(pending(), 0u);
}

TEST_F(DynamicBatcherTest, WaitsForThePreferredSizeUntilTheDelayIsOver) {
  Make(DynamicOptions(8, {4}, milliseconds(10)));
  Enqueue({.id = "a"});
  clock_.Advance(milliseconds(9));
  Enqueue({.id = "b"});
  EXPECT_EQ(Poll(), Ids{});
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(Poll(), (Ids{"a", "b"}));
  for (const char* id : {"c", "d", "e", "f", "g"}) Enqueue({.id = id});
  EXPECT_EQ(Poll(), (Ids{"c", "d", "e", "f"}));
}

TEST_F(DynamicBatcherTest, StampsWhenARequestWasQueued) {
  Make(DynamicOptions(4));
  TestRequest made = MakeRequest();
  batcher_->Enqueue(std::move(made.request));
  const TimePoint queued = clock_.Now();
  clock_.Advance(milliseconds(3));
  std::optional<Batch> batch = batcher_->NextBatch(0, TimePoint());
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->request(0).timeline.queued, queued);
}

TEST_F(DynamicBatcherTest, DifferentShapesDoNotShareABatch) {
  Make(DynamicOptions(8, {8}, milliseconds(10)), testing::VariableShapeModel());
  Enqueue({.id = "a"}, {1, 5});
  Enqueue({.id = "b"}, {1, 5});
  EXPECT_EQ(Poll(), Ids{});
  Enqueue({.id = "c"}, {1, 6});
  Enqueue({.id = "d"}, {1, 5});
  EXPECT_EQ(Poll(), (Ids{"a", "b"}));
  EXPECT_EQ(Poll(), (Ids{"c"}));
  EXPECT_EQ(Poll(), Ids{});
  clock_.Advance(milliseconds(10));
  EXPECT_EQ(Poll(), (Ids{"d"}));
}

TEST_F(DynamicBatcherTest, UrgentLevelsAreServedFirst) {
  BatchingOptions options = DynamicOptions(2);
  options.priority_levels = 2;
  options.default_priority_level = 2;
  Make(options);
  for (const char* id : {"a", "b", "c"}) Enqueue({.id = id});
  Enqueue({.id = "urgent", .priority = 1});
  EXPECT_EQ(Poll(), (Ids{"urgent", "a"}));
  EXPECT_EQ(Poll(), (Ids{"b", "c"}));
}

TEST_F(DynamicBatcherTest, RefusesWhenTheQueueIsFull) {
  BatchingOptions options = DynamicOptions(2);
  options.default_queue_policy.max_queue_size = 1;
  Make(options);
  auto first = Enqueue({.id = "a"});
  auto second = Enqueue({.id = "b"});
  EXPECT_EQ(second->status(), absl::UnavailableError("[request id: b] Exceeds maximum queue size"));
  EXPECT_EQ(pending(), 1u);
  EXPECT_EQ(Poll(), (Ids{"a"}));
  EXPECT_EQ(first->finals(), 1);
}

TEST_F(DynamicBatcherTest, AnswersTheCancelledAndTheExpiredInsteadOfExecutingThem) {
  BatchingOptions options = DynamicOptions(8);
  options.default_queue_policy.default_timeout = milliseconds(5);
  Make(options);
  auto expired = Enqueue({.id = "expired"});
  clock_.Advance(milliseconds(2));
  auto cancelled = Enqueue({.id = "cancelled"});
  auto late = Enqueue({.id = "late", .deadline = clock_.Now() + milliseconds(1)});
  cancelled->Cancel();
  Enqueue({.id = "alive"});
  clock_.Advance(milliseconds(3));
  EXPECT_EQ(Poll(), (Ids{"alive"}));
  EXPECT_EQ(expired->status(), absl::UnavailableError("Request timeout expired"));
  EXPECT_EQ(cancelled->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(late->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pending(), 0u);
}

TEST_F(DynamicBatcherTest, AnArrivalEndsTheExpiredWhileNoInstanceIsIdle) {
  BatchingOptions options = DynamicOptions(8);
  options.default_queue_policy.default_timeout = milliseconds(5);
  Make(options);
  auto expired = Enqueue({.id = "expired"});
  clock_.Advance(milliseconds(6));
  Enqueue({.id = "alive"});
  EXPECT_EQ(expired->status(), absl::UnavailableError("Request timeout expired"));
  EXPECT_EQ(batcher_->QueueLength(), 1);
  EXPECT_EQ(pending(), 1u);
}

TEST_F(DynamicBatcherTest, RefusesTheDeadAtTheDoor) {
  Make(DynamicOptions(8));
  TestRequest cancelled = MakeRequest();
  cancelled.record->Cancel();
  batcher_->Enqueue(std::move(cancelled.request));
  EXPECT_EQ(cancelled.record->status().code(), absl::StatusCode::kCancelled);
  auto late = Enqueue({.deadline = clock_.Now()});
  EXPECT_EQ(late->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pending(), 0u);
  EXPECT_EQ(batcher_->QueueLength(), 0);
}

TEST_F(DynamicBatcherTest, ClosedItHandsOutTheRestWithoutWaiting) {
  Make(DynamicOptions(2, {2}, milliseconds(10)));
  for (const char* id : {"a", "b", "c"}) Enqueue({.id = id});
  batcher_->Close();
  auto refused = Enqueue({.id = "d"});
  EXPECT_EQ(refused->status(),
            absl::UnavailableError("[request id: d] Server is stopping, scheduler for model has "
                                   "stopped accepting new inference requests"));
  EXPECT_FALSE(batcher_->Drained());
  EXPECT_EQ(Poll(), (Ids{"a", "b"}));
  EXPECT_EQ(Poll(), (Ids{"c"}));
  EXPECT_TRUE(batcher_->Drained());
  EXPECT_FALSE(batcher_->NextBatch(0, TimePoint::max()).has_value());
}

TEST_F(DynamicBatcherTest, AnswersWhatIsLeftWhenItGoes) {
  Make(DynamicOptions(2, {2}, milliseconds(10)));
  auto left = Enqueue({.id = "a"});
  batcher_.reset();
  EXPECT_EQ(left->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(pending(), 0u);
}

TEST_F(DynamicBatcherTest, PreservesTheOrderOfArrivalWhenAsked) {
  BatchingOptions options = DynamicOptions(1);
  options.preserve_ordering = true;
  Make(options);
  auto a = Enqueue({.id = "a"});
  auto b = Enqueue({.id = "b"});
  std::optional<Batch> first = batcher_->NextBatch(0, TimePoint());
  std::optional<Batch> second = batcher_->NextBatch(1, TimePoint());
  ASSERT_TRUE(first && second);
  second->request(0).Respond({});
  EXPECT_EQ(b->finals(), 0);
  first->request(0).Respond({});
  EXPECT_EQ(a->finals(), 1);
  EXPECT_EQ(b->finals(), 1);
}

// Every instance executes: nobody asks for a batch.
class BusyDynamicBatcherTest : public ::testing::Test {
 protected:
  std::unique_ptr<DynamicBatcher> Make(const BatchingOptions& options) {
    return std::make_unique<DynamicBatcher>(*config_, options, &statistics_, 1, TimeSource::Real(),
                                            &alarm_clock_);
  }

  AlarmClock alarm_clock_;
  ModelStatistics statistics_;
  const std::shared_ptr<const ModelConfig> config_ = testing::FixedShapeModel();
};

TEST_F(BusyDynamicBatcherTest, AnswersTheExpiredWhenTheyExpire) {
  BatchingOptions options = DynamicOptions(8);
  options.default_queue_policy.default_timeout = std::chrono::hours(1);
  options.default_queue_policy.allow_timeout_override = true;
  const auto batcher = Make(options);
  std::promise<void> answered;
  TestRequest expires =
      MakeRequest({.id = "a", .timeout = milliseconds(5)}, [&] { answered.set_value(); });
  TestRequest stays = MakeRequest({.id = "b"});
  const TimePoint began = Clock::now();
  batcher->Enqueue(std::move(stays.request));
  batcher->Enqueue(std::move(expires.request));
  ASSERT_EQ(answered.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_GE(Clock::now() - began, milliseconds(5));
  EXPECT_EQ(expires.record->status(), absl::UnavailableError("Request timeout expired"));
  EXPECT_EQ(batcher->QueueLength(), 1);
  EXPECT_EQ(stays.record->finals(), 0);
}

TEST_F(BusyDynamicBatcherTest, AnswersTheCancelled) {
  const auto batcher = Make(DynamicOptions(8));
  std::promise<void> answered;
  TestRequest cancelled = MakeRequest({.id = "a"}, [&] { answered.set_value(); });
  TestRequest stays = MakeRequest({.id = "b"});
  batcher->Enqueue(std::move(cancelled.request));
  batcher->Enqueue(std::move(stays.request));
  cancelled.record->Cancel();
  ASSERT_EQ(answered.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(cancelled.record->status().code(), absl::StatusCode::kCancelled);
  const std::optional<Batch> batch = batcher->NextBatch(0, TimePoint());
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->size(), 1u);
  EXPECT_EQ(batch->request(0).id, "b");
}

TEST_F(BusyDynamicBatcherTest, WhatABatchLeavesBehindExpiresToo) {
  BatchingOptions options = DynamicOptions(1);
  options.default_queue_policy.default_timeout = milliseconds(20);
  const auto batcher = Make(options);
  std::promise<void> answered;
  TestRequest taken = MakeRequest({.id = "a"});
  TestRequest left = MakeRequest({.id = "b"}, [&] { answered.set_value(); });
  batcher->Enqueue(std::move(taken.request));
  batcher->Enqueue(std::move(left.request));
  const std::optional<Batch> batch = batcher->NextBatch(0, TimePoint());
  ASSERT_EQ(answered.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(left.record->status(), absl::UnavailableError("Request timeout expired"));
  EXPECT_EQ(batcher->QueueLength(), 0);
}

}  // namespace
}  // namespace nereid
