#include "observability/sliding_quantiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/manual_clock.h"

namespace nereid {
namespace {

using testing::ManualClock;

class SlidingQuantilesTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  SlidingQuantiles quantiles_{clock_};
};

TEST_F(SlidingQuantilesTest, NothingSeenIsNotANumber) {
  EXPECT_TRUE(std::isnan(quantiles_.At({0.5})[0]));
  EXPECT_EQ(quantiles_.totals().count, 0u);
}

TEST_F(SlidingQuantilesTest, EachQuantileIsWithinAPercentOfTheValueOfItsRank) {
  std::mt19937 random(7);
  std::lognormal_distribution<double> distribution(5, 2);
  std::vector<double> values;
  for (int i = 0; i < 20000; ++i) values.push_back(distribution(random));
  for (const double value : values) quantiles_.Observe(value);
  std::sort(values.begin(), values.end());
  const std::vector<double> wanted = {0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
  const std::vector<double> found = quantiles_.At(wanted);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double count = static_cast<double>(values.size());
    const double exact = values[static_cast<size_t>(std::ceil(wanted[i] * count)) - 1];
    EXPECT_NEAR(found[i] / exact, 1, 0.008) << wanted[i];
  }
}

TEST_F(SlidingQuantilesTest, TotalsCountEverything) {
  for (const double value : {1.5, 2.0, 0.0}) quantiles_.Observe(value);
  clock_.Advance(std::chrono::hours(1));
  quantiles_.Observe(4);
  EXPECT_EQ(quantiles_.totals().count, 4u);
  EXPECT_DOUBLE_EQ(quantiles_.totals().sum, 7.5);
}

TEST_F(SlidingQuantilesTest, ValuesAreForgottenASliceAtATime) {
  quantiles_.Observe(1000);
  clock_.Advance(SlidingQuantiles::kSliceLength * (SlidingQuantiles::kSlices - 1));
  quantiles_.Observe(10);
  EXPECT_NEAR(quantiles_.At({1.0})[0], 1000, 8);
  clock_.Advance(SlidingQuantiles::kSliceLength);
  EXPECT_NEAR(quantiles_.At({1.0})[0], 10, 0.1);
  clock_.Advance(SlidingQuantiles::kSliceLength * SlidingQuantiles::kSlices);
  EXPECT_TRUE(std::isnan(quantiles_.At({1.0})[0]));
}

TEST_F(SlidingQuantilesTest, ASliceThatComesRoundAgainStartsEmpty) {
  quantiles_.Observe(1000);
  clock_.Advance(SlidingQuantiles::kSliceLength * SlidingQuantiles::kSlices);
  quantiles_.Observe(10);
  EXPECT_NEAR(quantiles_.At({1.0})[0], 10, 0.1);
}

TEST_F(SlidingQuantilesTest, ValuesOutsideTheRangeCountAtItsEnds) {
  quantiles_.Observe(0);
  quantiles_.Observe(1e-9);
  quantiles_.Observe(std::numeric_limits<double>::infinity());
  EXPECT_EQ(quantiles_.At({0.5})[0], 0);
  EXPECT_EQ(quantiles_.At({1.0})[0], std::ldexp(1.0, 42));
}

}  // namespace
}  // namespace nereid
