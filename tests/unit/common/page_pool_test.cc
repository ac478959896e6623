#include "common/page_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace nereid {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(PagePoolTest, RoundsSmallSizesToPowersOfTwoAndLargeOnesToTwoMebibytes) {
  struct Case {
    size_t bytes;
    size_t rounded;
  };
  const Case cases[] = {
      {0, 4096},
      {1, 4096},
      {4096, 4096},
      {4097, 8192},
      {60'000, 65'536},
      {kMiB, kMiB},
      {kMiB + 1, 2 * kMiB},
      {2 * kMiB, 2 * kMiB},
      {2 * kMiB + 1, 4 * kMiB},
      {12'000'000, 12 * kMiB},
      {SIZE_MAX, 0},
      {SIZE_MAX - kMiB, 0},
  };
  for (const Case& c : cases) EXPECT_EQ(PagePool::RoundUp(c.bytes), c.rounded) << c.bytes;
}

TEST(PagePoolTest, ReturnedBlockIsFoundAgainWithItsPages) {
  PagePool pool;
  PooledBlock block = pool.Allocate(12 * kMiB);
  ASSERT_TRUE(block);
  EXPECT_EQ(block.size(), 12 * kMiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data()) % (2 * kMiB), 0u);
  std::memset(block.data(), 7, block.size());
  char* const data = block.data();
  block.Reset();
  EXPECT_EQ(pool.statistics().bytes_idle, 12 * kMiB);
  PooledBlock again = pool.Allocate(11 * kMiB);
  EXPECT_EQ(again.data(), data);
  EXPECT_EQ(again.data()[5 * kMiB], 7);
  EXPECT_EQ(pool.statistics().bytes_in_use, 12 * kMiB);
  EXPECT_EQ(pool.statistics().bytes_idle, 0u);
  EXPECT_EQ(pool.statistics().hits, 1u);
  EXPECT_EQ(pool.statistics().misses, 1u);
}

TEST(PagePoolTest, ServesLargeRequestFromABlockUpToAQuarterLarger) {
  PagePool pool;
  char* const data = pool.Allocate(10 * kMiB).data();
  PooledBlock fitting = pool.Allocate(8 * kMiB);
  EXPECT_EQ(fitting.data(), data);
  EXPECT_EQ(fitting.size(), 10 * kMiB);
  fitting.Reset();
  EXPECT_EQ(pool.Allocate(6 * kMiB).size(), 6 * kMiB);
}

TEST(PagePoolTest, KeepsIdleBytesBelowTheCapDroppingTheOldestFirst) {
  PagePool pool({.max_idle_bytes = 8 * kMiB});
  PooledBlock first = pool.Allocate(4 * kMiB);
  PooledBlock second = pool.Allocate(6 * kMiB);
  char* const second_data = second.data();
  first.Reset();
  second.Reset();
  EXPECT_EQ(pool.statistics().bytes_idle, 6 * kMiB);
  EXPECT_EQ(pool.Allocate(6 * kMiB).data(), second_data);
}

TEST(PagePoolTest, BlockAboveTheCapIsNotKept) {
  PagePool pool({.max_idle_bytes = kMiB});
  pool.Allocate(4 * kMiB).Reset();
  EXPECT_EQ(pool.statistics().bytes_idle, 0u);
}

TEST(PagePoolTest, TrimGivesIdleBlocksBackAndLeavesUsedOnes) {
  PagePool pool;
  PooledBlock used = pool.Allocate(4096);
  pool.Allocate(4 * kMiB).Reset();
  pool.Trim();
  EXPECT_EQ(pool.statistics().bytes_idle, 0u);
  EXPECT_EQ(pool.statistics().bytes_in_use, 4096u);
  used.data()[0] = 1;
}

TEST(PagePoolTest, ImpossibleSizeGivesAnEmptyBlockAndCountsNothing) {
  PagePool pool;
  EXPECT_FALSE(pool.Allocate(SIZE_MAX));
  EXPECT_FALSE(pool.Allocate(size_t{1} << 60));
  EXPECT_EQ(pool.statistics().bytes_in_use, 0u);
}

TEST(PagePoolTest, SharedBlockReturnsWithItsLastReference) {
  PagePool pool;
  std::shared_ptr<const void> copy;
  {
    PooledBlock block = pool.Allocate(8192);
    char* const data = block.data();
    std::shared_ptr<void> shared = std::move(block).Share();
    EXPECT_EQ(shared.get(), data);
    EXPECT_FALSE(block);
    copy = shared;
  }
  EXPECT_EQ(pool.statistics().bytes_in_use, 8192u);
  copy.reset();
  EXPECT_EQ(pool.statistics().bytes_in_use, 0u);
  EXPECT_EQ(pool.statistics().bytes_idle, 8192u);
}

TEST(PagePoolTest, MovingABlockLeavesTheOtherEmpty) {
  PagePool pool;
  PooledBlock a = pool.Allocate(1);
  PooledBlock b = std::move(a);
  EXPECT_FALSE(a);
  a = pool.Allocate(1);
  a = std::move(b);
  EXPECT_TRUE(a);
  EXPECT_EQ(pool.statistics().bytes_in_use, 4096u);
}

TEST(PagePoolTest, BlocksTravelBetweenThreads) {
  PagePool pool({.max_idle_bytes = 4 * kMiB});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int i = 0; i < 200; ++i) {
        PooledBlock block = pool.Allocate(static_cast<size_t>((i * 37 + t) % 30 + 1) * 100'000);
        block.data()[block.size() - 1] = 1;
        std::thread([moved = std::move(block)] {}).join();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.statistics().bytes_in_use, 0u);
  EXPECT_LE(pool.statistics().bytes_idle, 4 * kMiB);
}

}  // namespace
}  // namespace nereid
