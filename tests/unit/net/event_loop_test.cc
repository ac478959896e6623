#include "net/event_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "common/deferred_wakeups.h"

namespace nereid {
namespace {

std::shared_ptr<EventLoop> NewLoop() {
  auto loop = EventLoop::Create("test");
  EXPECT_TRUE(loop.ok()) << loop.status();
  return *std::move(loop);
}

TEST(EventLoopTest, RunsPostedCallablesOnItsThread) {
  auto loop = NewLoop();
  EXPECT_FALSE(loop->InLoopThread());
  std::promise<bool> in_loop;
  loop->Post([&] { in_loop.set_value(loop->InLoopThread()); });
  EXPECT_TRUE(in_loop.get_future().get());
  loop->Stop();
}

TEST(EventLoopTest, LosesNoPostOfManyThreadsAndKeepsEachThreadsOrder) {
  auto loop = NewLoop();
  constexpr int kThreads = 4;
  constexpr int kPosts = 5000;
  std::vector<int> last(kThreads, -1);
  bool in_order = true;
  std::atomic<int> ran{0};
  std::promise<void> all;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop->Post([&, t, i] {
          in_order = in_order && last[t] == i - 1;
          last[t] = i;
          if (++ran == kThreads * kPosts) all.set_value();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  all.get_future().wait();
  loop->Stop();
  EXPECT_TRUE(in_order);
}

// One round trip at a time: each post meets a loop that sleeps or is just about to.
TEST(EventLoopTest, NeverSleepsThroughAPost) {
  auto loop = NewLoop();
  for (int i = 0; i < 20'000; ++i) {
    std::atomic<bool> ran{false};
    loop->Post([&] {
      ran.store(true);
      ran.notify_one();
    });
    ran.wait(false);
  }
  loop->Stop();
}

TEST(EventLoopTest, PostFromTheLoopRunsLater) {
  auto loop = NewLoop();
  std::promise<int> result;
  loop->Post([&] {
    auto steps = std::make_shared<int>(1);
    loop->Post([&result, steps] { result.set_value(*steps); });
    *steps = 2;
  });
  EXPECT_EQ(result.get_future().get(), 2);
  loop->Stop();
}

class CountingTask : public LoopTask {
 public:
  void Run() override { ++runs; }
  void Abandon() override { ++abandoned; }
  std::atomic<int> runs{0};
  std::atomic<int> abandoned{0};
};

TEST(EventLoopTest, AbandonsTasksPostedAfterStop) {
  auto loop = NewLoop();
  loop->Stop();
  loop->Stop();
  CountingTask task;
  loop->Post(&task);
  EXPECT_EQ(task.runs, 0);
  EXPECT_EQ(task.abandoned, 1);
  auto owned = std::make_shared<int>(0);
  loop->Post([owned] { ++*owned; });
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(*owned, 0);
}

TEST(EventLoopTest, AbandonsTasksQueuedWhenItStops) {
  auto loop = NewLoop();
  CountingTask task;
  std::promise<void> entered, go_on;
  loop->Post([&] {
    entered.set_value();
    go_on.get_future().wait();
  });
  entered.get_future().wait();
  std::thread stopper([&] { loop->Stop(); });
  // Either it still runs in the last iteration or it is abandoned: never both, never neither.
  loop->Post(&task);
  go_on.set_value();
  stopper.join();
  EXPECT_EQ(task.runs + task.abandoned, 1);
}

TEST(EventLoopTest, TimersFireOnceAndStop) {
  auto loop = NewLoop();
  std::promise<void> fired;
  std::atomic<int> stopped_fired{0};
  std::unique_ptr<LoopTimer> timer, stopped;
  loop->Post([&] {
    stopped = std::make_unique<LoopTimer>(loop.get(), [&] { ++stopped_fired; });
    stopped->Start(std::chrono::milliseconds(1));
    stopped->Stop();
    timer = std::make_unique<LoopTimer>(loop.get(), [&] { fired.set_value(); });
    timer->Start(std::chrono::milliseconds(20));
  });
  fired.get_future().wait();
  loop->Stop();
  EXPECT_EQ(stopped_fired, 0);
}

class CountingWakeable : public Wakeable {
 public:
  void Wake() noexcept override { ++wakes; }
  std::atomic<int> wakes{0};
};

TEST(EventLoopTest, PostedTasksOfOneRoundWakeEachSleeperOnce) {
  auto loop = NewLoop();
  auto sleeper = std::make_shared<CountingWakeable>();
  std::promise<void> entered, go_on;
  loop->Post([&] {
    entered.set_value();
    go_on.get_future().wait();
  });
  entered.get_future().wait();
  for (int i = 0; i < 10; ++i) {
    loop->Post([sleeper] { DeferredWakeups::WakeLater(sleeper); });
  }
  go_on.set_value();
  std::promise<int> wakes;
  // Runs in the round of the ten or a later one; only after that round are wakes complete.
  loop->Post([&] { loop->Post([&] { wakes.set_value(sleeper->wakes); }); });
  EXPECT_EQ(wakes.get_future().get(), 1);
  loop->Stop();
}

}  // namespace
}  // namespace nereid
