// The schedulers under threads and the real clock. Nothing here depends on how long anything takes:
// each expectation holds for every interleaving.

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/deferred_wakeups.h"
#include "sched/direct_scheduler.h"
#include "sched/dynamic_batcher.h"
#include "unit/sched/sched_test_util.h"

namespace nereid {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::DynamicOptions;
using testing::MakeRequest;
using testing::TestRequest;

const TimeSource& RealClock() { return TimeSource::Real(); }

// An instance that executes batches until the scheduler is drained.
std::thread Instance(Scheduler& scheduler, int slot, std::function<void(Batch&)> execute) {
  return std::thread([&scheduler, slot, execute = std::move(execute)] {
    while (!scheduler.Drained()) {
      std::optional<Batch> batch = scheduler.NextBatch(slot, TimePoint::max());
      if (batch) execute(*batch);
    }
  });
}

void RespondToAll(Batch& batch) {
  for (size_t i = 0; i < batch.size(); ++i) batch.request(i).Respond({});
}

struct StormCase {
  std::string name;
  int slots;
  std::function<std::unique_ptr<Scheduler>(const ModelConfig&, ModelStatistics*, int)> make;
};

std::unique_ptr<Scheduler> Direct(const ModelConfig&, ModelStatistics* statistics, int slots) {
  return std::make_unique<DirectScheduler>(statistics, slots, RealClock());
}

auto Dynamic(BatchingOptions options) {
  return [options](const ModelConfig& config, ModelStatistics* statistics, int slots) {
    return std::make_unique<DynamicBatcher>(config, options, statistics, slots, RealClock());
  };
}

BatchingOptions WithEverything() {
  BatchingOptions options = DynamicOptions(8, {2, 4}, microseconds(200));
  options.priority_levels = 3;
  options.default_priority_level = 2;
  options.level_queue_policies[1] = {QueuePolicy::TimeoutAction::kReject, microseconds(300), true,
                                     16};
  options.level_queue_policies[2] = {QueuePolicy::TimeoutAction::kDelay, microseconds(100), true,
                                     0};
  return options;
}

BatchingOptions Ordered() {
  BatchingOptions options = DynamicOptions(4, {4}, microseconds(50));
  options.preserve_ordering = true;
  return options;
}

class SchedulerStorm : public ::testing::TestWithParam<StormCase> {
 protected:
  static constexpr int kProducers = 3;
  static constexpr int kPerProducer = 700;

  // Sends requests of every kind, some of them cancelled, late or dropped on the way.
  static void Produce(Scheduler& scheduler, int seed,
                      std::vector<std::shared_ptr<testing::SinkRecord>>& records) {
    std::mt19937 random(static_cast<unsigned>(seed));
    for (int sent = 0; sent < kPerProducer;) {
      DeferredWakeups::Scope round;
      for (unsigned burst = 1 + random() % 8; burst > 0 && sent < kPerProducer; --burst, ++sent) {
        testing::RequestSpec spec;
        spec.rows = 1 + random() % 3;
        spec.priority = random() % 5;
        if (random() % 4 == 0) spec.timeout = microseconds(1 + random() % 100);
        if (random() % 10 == 0) {
          spec.deadline = RealClock().Now() + microseconds(random() % 200);
        }
        TestRequest made = MakeRequest(spec);
        records.push_back(made.record);
        const bool is_cancelled = random() % 10 == 0;
        scheduler.Enqueue(std::move(made.request));
        if (is_cancelled) made.record->Cancel();
      }
    }
  }
};

TEST_P(SchedulerStorm, AnswersEveryRequestExactlyOnceWhileItIsClosed) {
  const auto config = testing::FixedShapeModel();
  ModelStatistics statistics;
  std::vector<std::vector<std::shared_ptr<testing::SinkRecord>>> records(kProducers);
  {
    std::unique_ptr<Scheduler> scheduler = GetParam().make(*config, &statistics, GetParam().slots);
    std::vector<std::thread> threads;
    std::atomic<int> batches{0};
    for (int slot = 0; slot < GetParam().slots; ++slot) {
      threads.push_back(Instance(*scheduler, slot, [&](Batch& batch) {
        EXPECT_LE(batch.total_batch_size(), 8);
        // Some are left unanswered: their destructors answer.
        if (batches.fetch_add(1) % 7 != 0) RespondToAll(batch);
      }));
    }
    std::latch half_way(1);
    std::vector<std::thread> producers;
    for (int p = 0; p < kProducers; ++p) {
      producers.emplace_back([&, p] {
        Produce(*scheduler, p, records[static_cast<size_t>(p)]);
        if (p == 0) half_way.count_down();
      });
    }
    half_way.wait();
    scheduler->Close();  // the other producers may still be at it
    for (std::thread& producer : producers) producer.join();
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(scheduler->Drained());
    EXPECT_EQ(scheduler->QueueLength(), 0);
  }
  for (const auto& one_producers : records) {
    ASSERT_EQ(one_producers.size(), static_cast<size_t>(kPerProducer));
    for (const auto& record : one_producers) ASSERT_EQ(record->finals(), 1);
  }
  EXPECT_EQ(statistics.Read().pending, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SchedulerStorm,
    ::testing::Values(StormCase{"direct_one_slot", 1, Direct}, StormCase{"direct", 4, Direct},
                      StormCase{"dynamic_one_slot", 1, Dynamic(DynamicOptions(8))},
                      StormCase{"dynamic", 4, Dynamic(DynamicOptions(8))},
                      StormCase{"dynamic_delay", 3,
                                Dynamic(DynamicOptions(8, {3, 8}, microseconds(100)))},
                      StormCase{"dynamic_everything", 3, Dynamic(WithEverything())},
                      StormCase{"dynamic_ordered", 3, Dynamic(Ordered())}),
    [](const auto& info) { return info.param.name; });

class BlockingBatcher : public ::testing::Test {
 protected:
  void Make(const BatchingOptions& options, int slots = 1,
            std::shared_ptr<const ModelConfig> config = testing::FixedShapeModel()) {
    config_ = std::move(config);
    batcher_ =
        std::make_unique<DynamicBatcher>(*config_, options, &statistics_, slots, RealClock());
  }
  std::shared_ptr<testing::SinkRecord> Enqueue(const testing::RequestSpec& spec = {},
                                               Shape shape = {}) {
    TestRequest made = MakeRequest(spec);
    if (!shape.empty()) testing::AddInput(*made.request, config_->inputs()[0], shape);
    batcher_->Enqueue(std::move(made.request));
    return made.record;
  }
  // The size of the batch that an instance gets which is already asking, or asks any time later.
  std::thread Expect(int slot, size_t& size) {
    return std::thread([this, slot, &size] {
      std::optional<Batch> batch = batcher_->NextBatch(slot, TimePoint::max());
      size = batch ? batch->size() : 0;
      if (batch) RespondToAll(*batch);
    });
  }

  ModelStatistics statistics_;
  std::shared_ptr<const ModelConfig> config_;
  std::unique_ptr<DynamicBatcher> batcher_;
};

TEST_F(BlockingBatcher, AWaitingInstanceIsWokenWhenThePreferredSizeIsReached) {
  Make(DynamicOptions(8, {3}, hours(1)));
  size_t size = 0;
  std::thread instance = Expect(0, size);
  for (int i = 0; i < 3; ++i) Enqueue();
  instance.join();
  EXPECT_EQ(size, 3u);
}

TEST_F(BlockingBatcher, AWaitingInstanceIsWokenWhenTheNextRequestMayNotShare) {
  Make(DynamicOptions(8, {8}, hours(1)), 1, testing::VariableShapeModel());
  size_t size = 0;
  std::thread instance = Expect(0, size);
  Enqueue({}, {1, 5});
  Enqueue({}, {1, 5});
  Enqueue({}, {1, 6});
  instance.join();
  EXPECT_EQ(size, 2u);
}

TEST_F(BlockingBatcher, AWaitingInstanceIsWokenByAnUrgentRequestThatCompletesTheBatch) {
  BatchingOptions options = DynamicOptions(8, {2}, hours(1));
  options.priority_levels = 2;
  options.default_priority_level = 2;
  Make(options);
  size_t size = 0;
  std::thread instance = Expect(0, size);
  Enqueue({.priority = 2});
  Enqueue({.priority = 1});
  instance.join();
  EXPECT_EQ(size, 2u);
}

TEST_F(BlockingBatcher, TheDelayEndsTheWait) {
  Make(DynamicOptions(8, {8}, milliseconds(2)));
  size_t size = 0;
  std::thread instance = Expect(0, size);
  Enqueue();
  instance.join();
  EXPECT_EQ(size, 1u);
}

TEST_F(BlockingBatcher, AWaitingInstanceAnswersWhatExpires) {
  BatchingOptions options = DynamicOptions(8, {8}, hours(1));
  options.default_queue_policy = {QueuePolicy::TimeoutAction::kReject, hours(1), true, 0};
  Make(options);
  size_t size = 1;
  std::thread instance = Expect(0, size);
  Enqueue();
  auto expired = Enqueue({.timeout = milliseconds(2)});
  expired->WaitUntilFinal();
  EXPECT_EQ(expired->status(), absl::UnavailableError("Request timeout expired"));
  batcher_->Close();
  instance.join();
  EXPECT_EQ(size, 1u);
}

TEST_F(BlockingBatcher, AnInstanceThatLeavesHandsItsWatchOn) {
  Make(DynamicOptions(8, {8}, milliseconds(4)), 2);
  size_t size = 0;
  std::thread leaves([&] {
    std::optional<Batch> batch = batcher_->NextBatch(0, RealClock().Now() + milliseconds(2));
    if (batch) RespondToAll(*batch);
  });
  auto record = Enqueue();
  std::thread stays = Expect(1, size);
  record->WaitUntilFinal();
  leaves.join();
  batcher_->Close();
  stays.join();
  EXPECT_EQ(record->finals(), 1);
}

TEST_F(BlockingBatcher, CloseReleasesAllInstances) {
  Make(DynamicOptions(8, {8}, hours(1)), 3);
  std::vector<size_t> sizes(3, 9);
  std::vector<std::thread> threads;
  for (int slot = 0; slot < 3; ++slot) {
    threads.push_back(Expect(slot, sizes[static_cast<size_t>(slot)]));
  }
  batcher_->Close();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sizes, (std::vector<size_t>{0, 0, 0}));
}

TEST_F(BlockingBatcher, WorkLeftBehindIsGivenToTheOtherInstances) {
  Make(DynamicOptions(2), 3);
  std::vector<size_t> sizes(3, 0);
  std::vector<std::thread> threads;
  {
    // One wake-up for all six: each instance must call the next one.
    DeferredWakeups::Scope round;
    for (int slot = 0; slot < 3; ++slot) {
      threads.push_back(Expect(slot, sizes[static_cast<size_t>(slot)]));
    }
    for (int i = 0; i < 6; ++i) Enqueue();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(batcher_->QueueLength() + static_cast<int64_t>(sizes[0] + sizes[1] + sizes[2]), 6);
  for (size_t size : sizes) EXPECT_GE(size, 1u);
}

TEST(BlockingDirect, ABurstReachesEveryInstance) {
  // Each instance holds its request until all have one: the burst's single wake-up must travel on.
  constexpr int kSlots = 4;
  ModelStatistics statistics;
  DirectScheduler scheduler(&statistics, kSlots, RealClock());
  std::latch all_busy(kSlots);
  std::vector<std::thread> threads;
  for (int slot = 0; slot < kSlots; ++slot) {
    threads.emplace_back([&, slot] {
      std::optional<Batch> batch = scheduler.NextBatch(slot, TimePoint::max());
      ASSERT_TRUE(batch.has_value());
      all_busy.arrive_and_wait();
      RespondToAll(*batch);
    });
  }
  {
    DeferredWakeups::Scope round;
    for (int i = 0; i < kSlots; ++i) scheduler.Enqueue(MakeRequest().request);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(BlockingDirect, NextBatchReturnsAtItsDeadline) {
  ModelStatistics statistics;
  DirectScheduler scheduler(&statistics, 1, RealClock());
  const TimePoint deadline = RealClock().Now() + milliseconds(2);
  EXPECT_FALSE(scheduler.NextBatch(0, deadline).has_value());
  EXPECT_GE(RealClock().Now(), deadline);
}

TEST(BlockingDirect, MayGoWhileAWakeUpIsStillOwed) {
  ModelStatistics statistics;
  auto scheduler = std::make_unique<DirectScheduler>(&statistics, 2, RealClock());
  std::thread sleeper([&] {
    while (!scheduler->Drained()) scheduler->NextBatch(0, TimePoint::max());
  });
  {
    DeferredWakeups::Scope round;
    for (int i = 0; i < 10; ++i) scheduler->Enqueue(MakeRequest().request);
    scheduler->Close();
    sleeper.join();
    scheduler.reset();
  }
}

}  // namespace
}  // namespace nereid
