#include "sched/batch_policy.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace nereid {
namespace {

using std::chrono::microseconds;

const TimePoint kNow = TimePoint(std::chrono::hours(1));

struct Waiting {
  int64_t rows = 1;
  microseconds age{0};
  bool may_share = true;
  microseconds due_in = microseconds::max();  // from now
};

BatchDecision DecideOn(const BatchPolicy& policy, const std::vector<Waiting>& queue,
                       bool is_closing = false) {
  BatchFormer former(&policy);
  for (const Waiting& one : queue) {
    BatchFormer::Candidate candidate;
    candidate.rows = one.rows;
    candidate.enqueued = kNow - one.age;
    candidate.may_share = one.may_share;
    if (one.due_in != microseconds::max()) candidate.due = kNow + one.due_in;
    if (!former.Offer(candidate)) break;
  }
  return former.Decide(kNow, is_closing);
}

struct Case {
  std::string name;
  BatchPolicy policy;
  std::vector<Waiting> queue;
  size_t take;
  microseconds wait{0};  // for take == 0
  bool is_closing = false;
};

class BatchFormerTable : public ::testing::TestWithParam<Case> {};

TEST_P(BatchFormerTable, Decides) {
  const Case& c = GetParam();
  const BatchDecision decision = DecideOn(c.policy, c.queue, c.is_closing);
  EXPECT_EQ(decision.take, c.take);
  if (c.take == 0 && !c.queue.empty()) {
    EXPECT_EQ(decision.wait_until - kNow, c.wait);
  }
  if (c.queue.empty()) {
    EXPECT_EQ(decision.wait_until, TimePoint::max());
  }
}

BatchPolicy Policy(int64_t max, std::vector<int64_t> preferred, int delay_us = 0) {
  return {max, std::move(preferred), microseconds(delay_us)};
}
std::vector<Waiting> Ones(size_t count, int age_us = 0) {
  return std::vector<Waiting>(count, Waiting{.rows = 1, .age = microseconds(age_us)});
}
std::vector<Waiting> Rows(std::vector<int64_t> rows, int age_us = 0) {
  std::vector<Waiting> queue;
  for (int64_t n : rows) queue.push_back({.rows = n, .age = microseconds(age_us)});
  return queue;
}

INSTANTIATE_TEST_SUITE_P(
    WithoutDelay, BatchFormerTable,
    ::testing::Values(
        Case{"nothing_waits", Policy(8, {8}), {}, 0},
        Case{"whatever_waits_leaves", Policy(8, {8}), Ones(3), 3},
        Case{"full_batch", Policy(8, {8}), Ones(8), 8},
        Case{"more_than_full", Policy(8, {8}), Ones(11), 8},
        Case{"largest_preferred_size_reached", Policy(8, {2, 4}), Ones(3), 2},
        Case{"largest_of_several", Policy(8, {2, 4}), Ones(7), 4},
        Case{"below_every_preferred_size", Policy(8, {4, 6}), Ones(3), 3},
        Case{"cut_where_it_crosses_the_largest", Policy(8, {4}), Rows({3, 3}), 1},
        Case{"one_request_above_the_largest_is_legal", Policy(8, {4}), Rows({6}), 1},
        Case{"nothing_joins_it", Policy(8, {4}), Rows({6, 1}), 1},
        Case{"first_that_does_not_fit_closes", Policy(8, {8}), Rows({5, 4, 1}), 1},
        Case{"rows_add_up_to_preferred", Policy(16, {6, 8}), Rows({3, 2, 1, 1}), 3},
        Case{"different_inputs_close", Policy(8, {8}), {{1}, {1}, {1, {}, false}, {1}}, 2},
        Case{"no_rows_count_as_one", Policy(2, {2}), Rows({0, 0, 0}), 2},
        Case{"model_that_does_not_batch", Policy(1, {1}), Ones(5), 1}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    WithDelay, BatchFormerTable,
    ::testing::Values(
        Case{"young_waits_for_the_rest_of_its_delay", Policy(8, {8}, 100), Ones(3, 40), 0,
             microseconds(60)},
        Case{"oldest_decides",
             Policy(8, {8}, 100),
             {{1, microseconds(10)}, {1, microseconds(70)}},
             0,
             microseconds(30)},
        Case{"delay_over", Policy(8, {8}, 100), Ones(3, 100), 3},
        Case{"preferred_size_leaves_at_once", Policy(8, {2, 4}, 100), Ones(2, 0), 2},
        Case{"preferred_size_is_cut_out", Policy(8, {2, 5}, 100), Ones(3, 0), 2},
        Case{"no_cut_once_the_delay_is_over", Policy(8, {2, 5}, 100), Ones(3, 100), 3},
        Case{"delay_over_goes_beyond_preferred", Policy(8, {4}, 100), Ones(7, 100), 7},
        Case{"delay_over_stops_at_full", Policy(8, {4}, 100), Ones(11, 100), 8},
        Case{"cut_before_crossing_the_largest", Policy(8, {4}, 100), Rows({3, 2}, 0), 1},
        Case{"full_leaves_at_once", Policy(8, {8}, 100), Rows({5, 4}, 0), 1},
        Case{"different_inputs_leave_at_once", Policy(8, {8}, 100), {{1}, {1, {}, false}}, 1},
        Case{"above_the_largest_leaves_at_once", Policy(8, {4}, 100), Rows({6}), 1},
        Case{"looks_again_when_one_expires",
             Policy(8, {8}, 100),
             {{1, microseconds(10), true, microseconds(20)}},
             0,
             microseconds(20)},
        Case{"expiry_after_the_delay_is_not_waited_for",
             Policy(8, {8}, 100),
             {{1, microseconds(10), true, microseconds(500)}},
             0,
             microseconds(90)},
        Case{"nothing_is_waited_for_when_closing", Policy(8, {8}, 100), Ones(3, 0), 3,
             microseconds(0), true},
        Case{"closing_still_cuts", Policy(8, {2}, 100), Ones(3, 0), 2, microseconds(0), true}),
    [](const auto& info) { return info.param.name; });

TEST(BatchPolicy, HasTheFullBatchAsItsPreferredSize) {
  BatchingOptions options;
  options.max_batch_size = 12;
  EXPECT_EQ(BatchPolicy::From(options).preferred_sizes, std::vector<int64_t>{12});
  EXPECT_EQ(BatchPolicy::From(options).max_batch_size, 12);
}

TEST(BatchPolicy, MakesBatchesOfOneWhereTheModelDoesNotBatch) {
  const BatchPolicy policy = BatchPolicy::From(BatchingOptions{});
  EXPECT_EQ(policy.max_batch_size, 1);
  EXPECT_EQ(DecideOn(policy, Ones(4)).take, 1u);
}

// Whatever waits: what a decision may never violate.
TEST(BatchFormer, KeepsItsPromisesForRandomQueues) {
  std::mt19937 random(7);
  const auto upto = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  for (int round = 0; round < 20000; ++round) {
    BatchPolicy policy;
    policy.max_batch_size = 1 + upto(16);
    policy.preferred_sizes.clear();
    for (int64_t size = 1; size <= policy.max_batch_size; ++size) {
      if (upto(4) == 0) policy.preferred_sizes.push_back(size);
    }
    if (policy.preferred_sizes.empty()) policy.preferred_sizes = {policy.max_batch_size};
    policy.max_queue_delay = microseconds(upto(3) * 50);
    std::vector<Waiting> queue(static_cast<size_t>(1 + upto(12)));
    for (Waiting& one : queue) {
      one.rows = 1 + upto(policy.max_batch_size);
      one.age = microseconds(upto(120));
      one.may_share = upto(8) != 0;
    }

    const BatchDecision decision = DecideOn(policy, queue);
    ASSERT_LE(decision.take, queue.size());
    const auto rows_of = [&](size_t count) {
      int64_t rows = 0;
      for (size_t i = 0; i < count; ++i) rows += queue[i].rows;
      return rows;
    };
    const auto is_preferred = [&](int64_t rows) {
      return std::find(policy.preferred_sizes.begin(), policy.preferred_sizes.end(), rows) !=
             policy.preferred_sizes.end();
    };
    // The requests that could leave together at most.
    size_t reach = 1;
    while (reach < queue.size() && queue[reach].may_share &&
           rows_of(reach + 1) <= policy.max_batch_size) {
      ++reach;
    }
    microseconds oldest{0};
    for (size_t i = 0; i < reach; ++i) oldest = std::max(oldest, queue[i].age);
    const bool delay_is_over =
        policy.max_queue_delay > std::chrono::nanoseconds(0) && oldest >= policy.max_queue_delay;

    ASSERT_LE(rows_of(decision.take), policy.max_batch_size);
    ASSERT_LE(decision.take, reach);
    if (delay_is_over) {
      ASSERT_EQ(decision.take, reach) << "what waited long enough leaves without a cut";
    }
    if (policy.max_queue_delay == std::chrono::nanoseconds(0)) {
      ASSERT_GT(decision.take, 0u) << "waited although there is no delay";
    }
    if (decision.take == 0) {
      ASSERT_EQ(reach, queue.size()) << "waited although the batch could not grow";
      ASSERT_LT(rows_of(reach), policy.preferred_sizes.back());
      for (size_t i = 1; i <= reach; ++i) ASSERT_FALSE(is_preferred(rows_of(i)));
      ASSERT_EQ(decision.wait_until, kNow - oldest + policy.max_queue_delay);
    } else if (decision.take < reach && !delay_is_over) {
      // A cut: at the largest preferred size within reach, or before crossing the largest of all.
      size_t best = 0;
      for (size_t i = 1; i <= reach; ++i) {
        if (is_preferred(rows_of(i))) best = i;
      }
      if (best == 0) {
        best = 1;
        while (rows_of(best + 1) <= policy.preferred_sizes.back()) ++best;
      }
      ASSERT_EQ(decision.take, best);
    }
  }
}

}  // namespace
}  // namespace nereid
