#include "backends/cuda/plan/memory_planner.h"

#include <gtest/gtest.h>

#include <random>

namespace nereid::engine {
namespace {

void ExpectSound(const std::vector<BufferLifetime>& lifetimes, const MemoryPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), lifetimes.size());
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % kArenaAlignment, 0u);
    EXPECT_LE(plan.offsets[i] + lifetimes[i].byte_size, plan.byte_size);
    for (size_t j = 0; j < i; ++j) {
      const bool meet =
          lifetimes[i].first <= lifetimes[j].last && lifetimes[j].first <= lifetimes[i].last;
      if (!meet || lifetimes[i].byte_size == 0 || lifetimes[j].byte_size == 0) continue;
      const bool apart = plan.offsets[i] + lifetimes[i].byte_size <= plan.offsets[j] ||
                         plan.offsets[j] + lifetimes[j].byte_size <= plan.offsets[i];
      EXPECT_TRUE(apart) << i << " and " << j;
    }
  }
}

TEST(MemoryPlannerTest, AChainNeedsTwoBlocks) {
  std::vector<BufferLifetime> chain;
  for (int i = 0; i < 50; ++i) chain.push_back({1 << 20, i, i + 1});
  const MemoryPlan plan = PlanMemory(chain);
  ExpectSound(chain, plan);
  EXPECT_EQ(plan.byte_size, size_t{2} << 20);
}

TEST(MemoryPlannerTest, NothingNeedsNothing) {
  EXPECT_EQ(PlanMemory({}).byte_size, 0u);
  const std::vector<BufferLifetime> empty = {{0, 0, 3}, {0, 1, 2}};
  EXPECT_EQ(PlanMemory(empty).byte_size, 0u);
}

TEST(MemoryPlannerTest, RandomProgramsNeverOverlapAndStayNearThePeak) {
  std::mt19937 random(7);
  double total_plan = 0;
  double total_peak = 0;
  for (int round = 0; round < 100; ++round) {
    std::vector<BufferLifetime> lifetimes;
    const int steps = 5 + static_cast<int>(random() % 60);
    for (int i = 0; i < steps; ++i) {
      const int last = std::min<int>(steps, i + 1 + static_cast<int>(random() % 4));
      lifetimes.push_back({random() % 5000000, i, last});
    }
    const MemoryPlan plan = PlanMemory(lifetimes);
    ExpectSound(lifetimes, plan);
    EXPECT_GE(plan.byte_size, PeakLiveBytes(lifetimes));
    total_plan += static_cast<double>(plan.byte_size);
    total_peak += static_cast<double>(PeakLiveBytes(lifetimes));
  }
  EXPECT_LT(total_plan, 1.15 * total_peak);
}

}  // namespace
}  // namespace nereid::engine
