#include "sched/ring_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace nereid {
namespace {

TEST(RingQueue, BehavesAsADequeUnderRandomUse) {
  std::mt19937 random(1);
  RingQueue<std::unique_ptr<int>> queue;
  std::deque<int> model;
  for (int step = 0; step < 200000; ++step) {
    // Phases of growth and of draining, so that it wraps, grows and runs empty.
    const bool grows = (step / 5000) % 2 == 0;
    const unsigned dice = random() % 10;
    if (dice < (grows ? 6u : 3u)) {
      queue.PushBack(std::make_unique<int>(step));
      model.push_back(step);
    } else if (!model.empty() && dice < 9) {
      ASSERT_EQ(*queue.PopFront(), model.front());
      model.pop_front();
    } else if (!model.empty()) {
      const size_t at = random() % std::min<size_t>(model.size(), 20);
      ASSERT_EQ(*queue.Remove(at), model[at]);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
    }
    ASSERT_EQ(queue.size(), model.size());
    ASSERT_EQ(queue.empty(), model.empty());
    for (size_t i = 0; i < std::min<size_t>(model.size(), 3); ++i) ASSERT_EQ(*queue[i], model[i]);
  }
}

TEST(RingQueue, ServesABurstInOrderAndCanBeUsedAgain) {
  RingQueue<int> queue;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100000; ++i) queue.PushBack(i);
    for (int i = 0; i < 100000; ++i) ASSERT_EQ(queue.PopFront(), i);
    EXPECT_TRUE(queue.empty());
  }
}

}  // namespace
}  // namespace nereid
