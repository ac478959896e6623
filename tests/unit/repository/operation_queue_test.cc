#include "repository/operation_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "support/waiter.h"

namespace nereid {
namespace {

TEST(OperationQueueTest, OperationsOnOneNameTakeTurnsUntilTheyFinish) {
  LoadExecutor executor(4, "test");
  OperationQueue queue(&executor);
  testing::Waiter<OperationQueue::Finish> first;
  testing::Waiter<int> second;
  queue.Enqueue("m", [&](OperationQueue::Finish finish) { first.Set(std::move(finish)); });
  queue.Enqueue("m", [&](const OperationQueue::Finish& finish) {
    second.Set(1);
    finish([] {});
  });
  const OperationQueue::Finish finish = first.Wait();
  EXPECT_TRUE(queue.Busy("m"));
  EXPECT_EQ(queue.Count(), 2);
  EXPECT_FALSE(second.IsSet());
  finish([] {});
  second.Wait();
  queue.WaitUntilIdle();
  EXPECT_FALSE(queue.Busy("m"));
}

TEST(OperationQueueTest, TheOutcomeIsToldWhenTheNameIsFreeAndTheOperationStillCounts) {
  LoadExecutor executor(1, "test");
  OperationQueue queue(&executor);
  testing::Waiter<bool> busy;
  testing::Waiter<int64_t> count;
  queue.Enqueue("m", [&](const OperationQueue::Finish& finish) {
    finish([&] {
      busy.Set(queue.Busy("m"));
      count.Set(queue.Count());
    });
  });
  EXPECT_FALSE(busy.Wait());
  EXPECT_EQ(count.Wait(), 1);
}

TEST(OperationQueueTest, OperationsOnOtherNamesDoNotWait) {
  LoadExecutor executor(1, "test");
  OperationQueue queue(&executor);
  testing::Waiter<OperationQueue::Finish> held;
  queue.Enqueue("a", [&](OperationQueue::Finish finish) { held.Set(std::move(finish)); });
  testing::Waiter<int> other;
  queue.Enqueue("b", [&](const OperationQueue::Finish& finish) {
    other.Set(1);
    finish([] {});
  });
  EXPECT_EQ(other.Wait(), 1);
  held.Wait()([] {});
}

TEST(OperationQueueTest, ManyOperationsOnOneNameNeverOverlap) {
  LoadExecutor executor(4, "test");
  std::atomic<int> running{0};
  std::atomic<int> overlaps{0};
  std::vector<int> order;
  {
    OperationQueue queue(&executor);
    for (int i = 0; i < 200; ++i) {
      queue.Enqueue("m", [&, i](const OperationQueue::Finish& finish) {
        if (running.fetch_add(1) != 0) ++overlaps;
        order.push_back(i);
        running.fetch_sub(1);
        finish([] {});
      });
    }
  }
  EXPECT_EQ(overlaps, 0);
  ASSERT_EQ(order.size(), 200u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

}  // namespace
}  // namespace nereid
