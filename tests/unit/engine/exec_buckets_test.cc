#include "backends/cuda/exec/buckets.h"
#include "gtest/gtest.h"

namespace nereid::engine {
namespace {

TEST(BucketsTest, LieCloserTogetherFromSixteenOn) {
  EXPECT_EQ(BatchBuckets(100), (std::vector<int64_t>{1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 100}));
  EXPECT_EQ(BatchBuckets(24), (std::vector<int64_t>{1, 2, 4, 8, 16, 24}));
  EXPECT_EQ(BucketsFor(17, 32), (std::vector<int64_t>{24, 32}));
}

TEST(BucketsTest, ArePowersOfTwoAndTheGreatestBatchItself) {
  EXPECT_EQ(BatchBuckets(1), (std::vector<int64_t>{1}));
  EXPECT_EQ(BatchBuckets(8), (std::vector<int64_t>{1, 2, 4, 8}));
  EXPECT_EQ(BatchBuckets(12), (std::vector<int64_t>{1, 2, 4, 8, 12}));
  EXPECT_TRUE(BatchBuckets(0).empty());
}

TEST(BucketsTest, TheSmallestThatHoldsTheBatchComesFirst) {
  EXPECT_EQ(BucketsFor(1, 8), (std::vector<int64_t>{1, 2, 4, 8}));
  EXPECT_EQ(BucketsFor(3, 8), (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(BucketsFor(9, 12), (std::vector<int64_t>{12}));
  EXPECT_EQ(BucketsFor(20, 12), (std::vector<int64_t>{20}));
}

}  // namespace
}  // namespace nereid::engine
