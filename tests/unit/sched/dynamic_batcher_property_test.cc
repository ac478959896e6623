// Random arrivals against the real batcher, in one thread under a hand-moved clock: instances that
// take random times poll whenever they are idle.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "sched/dynamic_batcher.h"
#include "unit/sched/sched_test_util.h"

namespace nereid {
namespace {

using std::chrono::microseconds;
using testing::MakeRequest;
using testing::TestRequest;

constexpr microseconds kTick{10};

struct Sent {
  int number = 0;
  int64_t rows = 1;
  uint64_t level = 0;
  int64_t length = 1;
  TimePoint enqueued;
  bool is_taken = false;
  std::shared_ptr<testing::SinkRecord> record;
};

struct Executing {
  std::optional<Batch> batch;
  TimePoint until;
};

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {
    options_ = testing::DynamicOptions(1 + Upto(12));
    for (int64_t size = 1; size <= options_.max_batch_size; ++size) {
      if (Upto(4) == 0) options_.preferred_batch_sizes.push_back(size);
    }
    options_.max_queue_delay = kTick * Upto(20);
    options_.priority_levels = static_cast<uint64_t>(Upto(4));
    options_.default_priority_level = std::min<uint64_t>(options_.priority_levels, 1);
    has_shapes_ = Upto(2) == 0;
    config_ = has_shapes_ ? testing::VariableShapeModel() : testing::FixedShapeModel();
    const int slots = 1 + static_cast<int>(Upto(3));
    instances_.resize(static_cast<size_t>(slots));
    batcher_ = std::make_unique<DynamicBatcher>(*config_, options_, &statistics_, slots, clock_);
  }

  void Run() {
    for (int tick = 0; tick < 400; ++tick) {
      while (Upto(3) == 0) Arrive();
      Step();
      if (::testing::Test::HasFatalFailure()) return;
    }
    // Arrivals stop: everything must leave within the delay and the executions before it.
    for (int tick = 0; tick < 40000 && batcher_->QueueLength() > 0; ++tick) Step();
    for (Executing& instance : instances_) End(instance);
    CheckAllAnsweredOnce();
  }

 private:
  int64_t Upto(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  void Arrive() {
    Sent sent;
    sent.number = static_cast<int>(sent_.size());
    sent.rows = 1 + Upto(std::min<int64_t>(options_.max_batch_size, 4));
    sent.level =
        options_.priority_levels == 0
            ? 0
            : 1 + static_cast<uint64_t>(Upto(static_cast<int64_t>(options_.priority_levels)));
    sent.length = has_shapes_ ? 1 + Upto(2) : 4;
    sent.enqueued = clock_.Now();
    TestRequest made =
        MakeRequest({.id = std::to_string(sent.number), .rows = sent.rows, .priority = sent.level});
    testing::AddInput(*made.request, config_->inputs()[0], {sent.rows, sent.length});
    sent.record = made.record;
    sent_.push_back(sent);
    batcher_->Enqueue(std::move(made.request));
  }

  void Step() {
    for (size_t slot = 0; slot < instances_.size(); ++slot) {
      Executing& instance = instances_[slot];
      if (instance.batch && clock_.Now() >= instance.until) End(instance);
      if (instance.batch) continue;
      instance.batch = batcher_->NextBatch(static_cast<int>(slot), TimePoint());
      if (!instance.batch) {
        CheckNobodyWaitsTooLong();
        continue;
      }
      CheckBatch(*instance.batch);
      instance.until = clock_.Now() + kTick * Upto(30);
    }
    clock_.Advance(kTick);
  }

  void End(Executing& instance) {
    if (!instance.batch) return;
    for (size_t i = 0; i < instance.batch->size(); ++i) instance.batch->request(i).Respond({});
    instance.batch.reset();
  }

  void CheckBatch(const Batch& batch) {
    ASSERT_GT(batch.size(), 0u);
    EXPECT_LE(batch.total_batch_size(), options_.max_batch_size) << "above the maximum batch";
    const Sent& first = sent_[static_cast<size_t>(std::stoi(batch.request(0).id))];
    uint64_t level = 0;
    for (size_t i = 0; i < batch.size(); ++i) {
      Sent& sent = sent_[static_cast<size_t>(std::stoi(batch.request(i).id))];
      EXPECT_FALSE(sent.is_taken) << "handed out twice";
      EXPECT_EQ(sent.length, first.length) << "different shapes in one batch";
      EXPECT_GE(sent.level, level) << "a less urgent request went first";
      level = sent.level;
      // All earlier requests of the level have been taken: FIFO within a level.
      for (const Sent& earlier : sent_) {
        if (earlier.number >= sent.number) break;
        EXPECT_TRUE(earlier.level != sent.level || earlier.is_taken) << "overtaken in its level";
      }
      sent.is_taken = true;
    }
    for (const Sent& sent : sent_) {
      EXPECT_TRUE(sent.is_taken || sent.level >= level) << "an urgent request was passed over";
    }
  }

  // An instance was idle and found nothing to do.
  void CheckNobodyWaitsTooLong() {
    for (const Sent& sent : sent_) {
      if (sent.is_taken) continue;
      ASSERT_LT(clock_.Now() - sent.enqueued, options_.max_queue_delay)
          << "waits beyond the delay although an instance is idle";
    }
  }

  void CheckAllAnsweredOnce() {
    for (const Sent& sent : sent_) {
      EXPECT_TRUE(sent.is_taken) << "starved";
      EXPECT_EQ(sent.record->finals(), 1);
    }
    EXPECT_EQ(statistics_.Read().pending, 0u);
  }

  std::mt19937 random_;
  BatchingOptions options_;
  bool has_shapes_ = false;
  testing::ManualClock clock_;
  ModelStatistics statistics_;
  std::shared_ptr<const ModelConfig> config_;
  std::vector<Sent> sent_;
  std::vector<Executing> instances_;
  std::unique_ptr<DynamicBatcher> batcher_;
};

TEST(DynamicBatcherProperty, HoldsForRandomArrivalsConfigurationsAndInstances) {
  for (unsigned seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    Simulation simulation(seed);
    simulation.Run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace nereid
