#include "sched/priority_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/sched/sched_test_util.h"

namespace nereid {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::DynamicOptions;
using testing::MakeRequest;
using testing::RequestSpec;
using testing::TestRequest;
using Ids = std::vector<std::string>;
using Outcome = PriorityQueue::Outcome;

// A queue under a hand-moved clock that remembers what became of its requests.
class PriorityQueueTest : public ::testing::Test {
 protected:
  void Make(BatchingOptions options) { queue_ = std::make_unique<PriorityQueue>(options); }

  Outcome Push(const RequestSpec& spec) {
    TestRequest made = MakeRequest(spec);
    last_ = made.record;
    return queue_->Push(made.request, now_, refused_).outcome;
  }
  // The ids in order of service, after those that are dead have gone.
  Ids Order() {
    Ids ids;
    queue_->Walk(now_, refused_, [&](const QueuedRequest& queued) {
      ids.push_back(queued.request->id);
      return true;
    });
    return ids;
  }
  Ids Take(size_t count) {
    Batch batch;
    queue_->TakeFront(count, batch);
    Ids ids;
    for (size_t i = 0; i < batch.size(); ++i) ids.push_back(batch.request(i).id);
    return ids;
  }
  Ids Refused(Refusal reason) const {
    Ids ids;
    for (const RefusedRequest& one : refused_) {
      if (one.reason == reason) ids.push_back(one.request->id);
    }
    return ids;
  }

  TimePoint now_{std::chrono::hours(1)};
  std::unique_ptr<PriorityQueue> queue_;
  RefusedRequests refused_;
  std::shared_ptr<testing::SinkRecord> last_;
};

BatchingOptions Levels(uint64_t levels, uint64_t default_level) {
  BatchingOptions options = DynamicOptions(8);
  options.priority_levels = levels;
  options.default_priority_level = default_level;
  return options;
}
BatchingOptions WithPolicy(QueuePolicy policy) {
  BatchingOptions options = DynamicOptions(8);
  options.default_queue_policy = policy;
  return options;
}

TEST_F(PriorityQueueTest, WithoutLevelsPriorityIsIgnored) {
  Make(DynamicOptions(8));
  EXPECT_EQ(Push({.id = "a", .priority = 9}), Outcome::kLast);
  EXPECT_EQ(Push({.id = "b", .priority = 1}), Outcome::kLast);
  EXPECT_EQ(Order(), (Ids{"a", "b"}));
}

TEST_F(PriorityQueueTest, ServesUrgentLevelsFirstAndEachLevelInOrder) {
  Make(Levels(3, 2));
  EXPECT_EQ(Push({.id = "low", .priority = 3}), Outcome::kLast);
  EXPECT_EQ(Push({.id = "urgent", .priority = 1}), Outcome::kBefore);
  EXPECT_EQ(Push({.id = "default", .priority = 0}), Outcome::kBefore);
  EXPECT_EQ(Push({.id = "beyond", .priority = 4}), Outcome::kBefore);
  EXPECT_EQ(Push({.id = "low2", .priority = 3}), Outcome::kLast);
  EXPECT_EQ(Order(), (Ids{"urgent", "default", "beyond", "low", "low2"}));
  EXPECT_EQ(Take(3), (Ids{"urgent", "default", "beyond"}));
  EXPECT_EQ(queue_->size(), 2u);
  EXPECT_EQ(Take(9), (Ids{"low", "low2"}));
  EXPECT_TRUE(queue_->empty());
}

TEST_F(PriorityQueueTest, AnyNumberOfLevelsCanBeNamed) {
  Make(Levels(uint64_t{1} << 60, 1));
  for (uint64_t level = 1000; level > 0; --level) {
    Push({.id = std::to_string(level), .priority = level << 40});
  }
  EXPECT_EQ(Take(2), (Ids{"1", "2"}));
  EXPECT_EQ(Take(1000).size(), 998u);
  EXPECT_TRUE(queue_->empty());
}

TEST_F(PriorityQueueTest, AFullLevelRefusesAndKeepsOthersOpen) {
  BatchingOptions options = Levels(2, 1);
  options.level_queue_policies[1].max_queue_size = 2;
  Make(options);
  EXPECT_NE(Push({.id = "a", .priority = 1}), Outcome::kRefused);
  EXPECT_NE(Push({.id = "b", .priority = 1}), Outcome::kRefused);
  EXPECT_EQ(Push({.id = "c", .priority = 1}), Outcome::kRefused);
  EXPECT_NE(Push({.id = "d", .priority = 2}), Outcome::kRefused);
  Take(1);
  EXPECT_NE(Push({.id = "e", .priority = 1}), Outcome::kRefused);
}

TEST_F(PriorityQueueTest, DelayedRequestsCountForTheLimit) {
  Make(WithPolicy({QueuePolicy::TimeoutAction::kDelay, milliseconds(1), false, 2}));
  Push({.id = "a"});
  now_ += milliseconds(2);
  EXPECT_EQ(Order(), (Ids{"a"}));
  EXPECT_NE(Push({.id = "b"}), Outcome::kRefused);
  EXPECT_EQ(Push({.id = "c"}), Outcome::kRefused);
}

TEST_F(PriorityQueueTest, DeadRequestsMakeRoomInAFullLevel) {
  Make(WithPolicy({QueuePolicy::TimeoutAction::kReject, milliseconds(1), false, 2}));
  Push({.id = "cancelled"});
  last_->Cancel();
  Push({.id = "alive"});
  EXPECT_NE(Push({.id = "new"}), Outcome::kRefused);
  EXPECT_EQ(Refused(Refusal::kCancelled), (Ids{"cancelled"}));
  EXPECT_EQ(Order(), (Ids{"alive", "new"}));
}

TEST_F(PriorityQueueTest, RejectEndsWhatWaitsTooLong) {
  Make(WithPolicy({QueuePolicy::TimeoutAction::kReject, milliseconds(10), false, 0}));
  Push({.id = "old"});
  now_ += milliseconds(5);
  Push({.id = "young"});
  now_ += milliseconds(5);
  EXPECT_EQ(Order(), (Ids{"young"}));
  EXPECT_EQ(Refused(Refusal::kExpired), (Ids{"old"}));
  EXPECT_EQ(queue_->size(), 1u);
}

TEST_F(PriorityQueueTest, DelayServesTheExpiredBehindTheirLevelAndBeforeTheNext) {
  BatchingOptions options = Levels(2, 1);
  options.level_queue_policies[1] = {QueuePolicy::TimeoutAction::kDelay, milliseconds(10), false,
                                     0};
  Make(options);
  Push({.id = "old", .priority = 1});
  Push({.id = "next level", .priority = 2});
  now_ += milliseconds(10);
  Push({.id = "young", .priority = 1});
  EXPECT_EQ(Order(), (Ids{"young", "old", "next level"}));
  now_ += std::chrono::hours(1);
  EXPECT_EQ(Order(), (Ids{"old", "young", "next level"}));
  EXPECT_TRUE(refused_.empty());
  EXPECT_EQ(Push({.id = "youngest", .priority = 1}), Outcome::kBefore);
  EXPECT_EQ(Order(), (Ids{"youngest", "old", "young", "next level"}));
  EXPECT_EQ(Take(4), (Ids{"youngest", "old", "young", "next level"}));
}

struct TimeoutCase {
  std::string name;
  microseconds default_timeout;
  bool allows_override;
  microseconds request_timeout;
  microseconds expected;  // zero: never
};

class QueueTimeout : public PriorityQueueTest, public ::testing::WithParamInterface<TimeoutCase> {};

TEST_P(QueueTimeout, FollowsDefaultAndOverride) {
  const TimeoutCase& c = GetParam();
  Make(WithPolicy({QueuePolicy::TimeoutAction::kReject, c.default_timeout, c.allows_override, 0}));
  const TimePoint start = now_;
  Push({.id = "a", .timeout = c.request_timeout});
  if (c.expected == microseconds(0)) {
    now_ = start + std::chrono::hours(1000);
    EXPECT_EQ(Order(), (Ids{"a"}));
    return;
  }
  now_ = start + c.expected - microseconds(1);
  EXPECT_EQ(Order(), (Ids{"a"}));
  now_ = start + c.expected;
  EXPECT_EQ(Order(), Ids{});
  EXPECT_EQ(Refused(Refusal::kExpired), (Ids{"a"}));
}

INSTANTIATE_TEST_SUITE_P(
    Table, QueueTimeout,
    ::testing::Values(
        TimeoutCase{"default_only", microseconds(100), false, microseconds(0), microseconds(100)},
        TimeoutCase{"not_allowed", microseconds(100), false, microseconds(10), microseconds(100)},
        TimeoutCase{"shorter", microseconds(100), true, microseconds(10), microseconds(10)},
        TimeoutCase{"equal", microseconds(100), true, microseconds(100), microseconds(100)},
        TimeoutCase{"longer", microseconds(100), true, microseconds(900), microseconds(100)},
        TimeoutCase{"none_given", microseconds(100), true, microseconds(0), microseconds(100)},
        TimeoutCase{"without_default_it_has_no_effect", microseconds(0), true, microseconds(10),
                    microseconds(0)}),
    [](const auto& info) { return info.param.name; });

TEST_F(PriorityQueueTest, CancellationIsNoticedBeforeExpiry) {
  Make(WithPolicy({QueuePolicy::TimeoutAction::kReject, milliseconds(1), false, 0}));
  Push({.id = "a"});
  last_->Cancel();
  now_ += milliseconds(2);
  EXPECT_EQ(Order(), Ids{});
  EXPECT_EQ(Refused(Refusal::kCancelled), (Ids{"a"}));
}

TEST_F(PriorityQueueTest, TransportDeadlineEndsARequestWhateverItsPolicy) {
  Make(WithPolicy({QueuePolicy::TimeoutAction::kDelay, milliseconds(1), false, 0}));
  Push({.id = "a", .deadline = now_ + milliseconds(5)});
  EXPECT_EQ(queue_->next_due(), now_ + milliseconds(1));
  now_ += milliseconds(2);
  EXPECT_EQ(Order(), (Ids{"a"}));
  now_ += milliseconds(3);
  EXPECT_EQ(Order(), Ids{});
  EXPECT_EQ(Refused(Refusal::kDeadline), (Ids{"a"}));
}

TEST_F(PriorityQueueTest, SweepPassesEveryLevelAndFindsTheNextToExpire) {
  BatchingOptions options = Levels(2, 1);
  options.level_queue_policies[1].default_timeout = milliseconds(5);
  options.level_queue_policies[2].default_timeout = milliseconds(8);
  Make(options);
  const TimePoint start = now_;
  Push({.id = "a", .priority = 1});
  Push({.id = "b", .priority = 2});
  EXPECT_EQ(queue_->next_due(), start + milliseconds(5));
  now_ += milliseconds(6);
  queue_->Sweep(now_, refused_);
  EXPECT_EQ(Refused(Refusal::kExpired), (Ids{"a"}));
  EXPECT_EQ(queue_->next_due(), start + milliseconds(8));
  now_ += milliseconds(6);
  queue_->Sweep(now_, refused_);
  EXPECT_EQ(Refused(Refusal::kExpired), (Ids{"a", "b"}));
  EXPECT_EQ(queue_->next_due(), TimePoint::max());
}

TEST_F(PriorityQueueTest, RefusesAllThatIsLeft) {
  Make(Levels(2, 1));
  Push({.id = "a", .priority = 2});
  Push({.id = "b", .priority = 1});
  queue_->RefuseAll(Refusal::kClosed, refused_);
  EXPECT_EQ(Refused(Refusal::kClosed), (Ids{"b", "a"}));
  EXPECT_TRUE(queue_->empty());
}

TEST(Refusals, HaveTheTextsOfTheProtocol) {
  using Code = absl::StatusCode;
  const struct {
    Refusal refusal;
    Code code;
    const char* text;
  } kTable[] = {
      {Refusal::kClosed, Code::kUnavailable,
       "[request id: 7] Server is stopping, scheduler for model has stopped accepting new "
       "inference requests"},
      {Refusal::kQueueFull, Code::kUnavailable, "[request id: 7] Exceeds maximum queue size"},
      {Refusal::kExpired, Code::kUnavailable, "Request timeout expired"},
      {Refusal::kCancelled, Code::kCancelled,
       "[request id: 7] Request was cancelled before it was executed"},
      {Refusal::kDeadline, Code::kDeadlineExceeded,
       "[request id: 7] Deadline of the request passed before it was executed"},
  };
  const TestRequest made = MakeRequest({.id = "7"});
  for (const auto& row : kTable) {
    EXPECT_EQ(RefusalStatus(row.refusal, *made.request), absl::Status(row.code, row.text));
  }
}

}  // namespace
}  // namespace nereid
