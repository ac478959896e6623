#include "sched/worker_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace nereid {
namespace {

using Lock = WorkerGate::Lock;
constexpr auto kForever = std::chrono::nanoseconds::max();

// Threads that sleep at a gate and note the order in which they are called.
class Sleepers {
 public:
  explicit Sleepers(std::shared_ptr<WorkerGate> gate) : gate_(std::move(gate)) {}
  ~Sleepers() {
    for (std::thread& thread : threads_) thread.join();
  }

  // Returns once the thread of `slot` sleeps.
  void Start(int slot, bool is_called_first = false, std::chrono::nanoseconds duration = kForever) {
    std::latch holds_lock(1);
    threads_.emplace_back([&, slot, is_called_first, duration] {
      Lock lock = gate_->Acquire();
      holds_lock.count_down();
      gate_->Sleep(lock, slot, duration, is_called_first);
      woken_.push_back(slot);
      ++woken_count_;
      woken_count_.notify_all();
    });
    holds_lock.wait();
    Lock asleep_now = gate_->Acquire();
  }
  void AwaitWoken(int count) {
    for (int seen = woken_count_; seen < count; seen = woken_count_) woken_count_.wait(seen);
  }
  std::vector<int> woken() {
    Lock lock = gate_->Acquire();
    return woken_;
  }

 private:
  const std::shared_ptr<WorkerGate> gate_;
  std::vector<std::thread> threads_;
  std::vector<int> woken_;  // guarded by the gate
  std::atomic<int> woken_count_{0};
};

bool Want(WorkerGate& gate) {
  Lock lock = gate.Acquire();
  return gate.WantWorker();
}
void Look(WorkerGate& gate) {
  Lock lock = gate.Acquire();
  gate.LookedAtWork();
}

TEST(WorkerGate, AsksForNobodyWhileAllAreAwake) {
  WorkerGate gate(2);
  EXPECT_FALSE(Want(gate));
}

TEST(WorkerGate, CallsOneSleeperHoweverOftenWorkComes) {
  auto gate = std::make_shared<WorkerGate>(2);
  Sleepers sleepers(gate);
  sleepers.Start(0);
  sleepers.Start(1);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Want(*gate));
  gate->Wake();
  sleepers.AwaitWoken(1);
  Look(*gate);
  gate->Wake();  // late, for work that has been looked at
  EXPECT_EQ(sleepers.woken(), std::vector<int>{1});
  EXPECT_TRUE(Want(*gate));
  gate->Wake();
  sleepers.AwaitWoken(2);
}

TEST(WorkerGate, CallsTheOneThatAskedForItEvenIfAnotherCameLater) {
  auto gate = std::make_shared<WorkerGate>(3);
  Sleepers sleepers(gate);
  sleepers.Start(0);
  sleepers.Start(1, /*is_called_first=*/true);
  sleepers.Start(2);
  for (int count = 1; count <= 3; ++count) {
    EXPECT_TRUE(Want(*gate));
    gate->Wake();
    sleepers.AwaitWoken(count);
  }
  EXPECT_EQ(sleepers.woken(), (std::vector<int>{1, 2, 0}));
}

TEST(WorkerGate, ASleeperWhoseTimeIsOverIsNotCalled) {
  auto gate = std::make_shared<WorkerGate>(2);
  Sleepers sleepers(gate);
  sleepers.Start(0, /*is_called_first=*/true, std::chrono::milliseconds(1));
  sleepers.AwaitWoken(1);
  EXPECT_FALSE(Want(*gate));
  sleepers.Start(1);
  EXPECT_TRUE(Want(*gate));
  gate->Wake();
  sleepers.AwaitWoken(2);
}

TEST(WorkerGate, CallAllWakesEverybody) {
  auto gate = std::make_shared<WorkerGate>(3);
  Sleepers sleepers(gate);
  for (int slot = 0; slot < 3; ++slot) sleepers.Start(slot);
  {
    Lock lock = gate->Acquire();
    gate->CallAll();
  }
  sleepers.AwaitWoken(3);
  EXPECT_FALSE(Want(*gate));
}

}  // namespace
}  // namespace nereid
