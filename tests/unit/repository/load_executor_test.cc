#include "repository/load_executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/waiter.h"

namespace nereid {
namespace {

TEST(LoadExecutorTest, OneThreadRunsTasksInOrder) {
  std::vector<int> order;
  {
    LoadExecutor executor(1, "test");
    for (int i = 0; i < 5; ++i) executor.Post([&order, i] { order.push_back(i); });
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(LoadExecutorTest, AsManyTasksRunAtOnceAsThereAreThreads) {
  testing::Waiter<int> first, second;
  LoadExecutor executor(2, "test");  // last: its destructor waits for the tasks that use the others
  // Each waits for the other: they can only end side by side.
  executor.Post([&] {
    first.Set(1);
    second.Wait();
  });
  executor.Post([&] {
    second.Set(1);
    first.Wait();
  });
}

TEST(LoadExecutorTest, DestructionRunsWhatIsQueuedAndWhatThatQueues) {
  std::atomic<int> ran{0};
  {
    LoadExecutor executor(2, "test");
    for (int i = 0; i < 10; ++i) {
      executor.Post([&] {
        ++ran;
        executor.Post([&] { ++ran; });
      });
    }
  }
  EXPECT_EQ(ran, 20);
}

TEST(LoadExecutorTest, ACountBelowOneStillMakesAThread) {
  testing::Waiter<int> ran;
  LoadExecutor executor(0, "test");
  executor.Post([&] { ran.Set(1); });
  EXPECT_EQ(ran.Wait(), 1);
}

}  // namespace
}  // namespace nereid
