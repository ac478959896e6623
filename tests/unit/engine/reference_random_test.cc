#include <algorithm>
#include <cmath>
#include <numeric>

#include "unit/engine/reference_fixture.h"

namespace nereid::engine {
namespace {

constexpr int64_t kMany = 20'000;

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}
double DeviationOf(const std::vector<double>& values) {
  const double mean = MeanOf(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

Attributes OfShape(Attributes more = {}) {
  more["shape"] = std::vector<int64_t>{2, kMany / 2};
  return more;
}

TEST(RandomTest, NormalNumbersHaveTheirMeanAndDeviation) {
  const HostTensor tensor = Result("RandomNormal", {}, OfShape({{"mean", 3.0f}, {"scale", 2.0f}}));
  EXPECT_EQ(tensor.shape(), (Shape{2, kMany / 2}));
  EXPECT_EQ(tensor.type(), DataType::kFp32);
  // Six times the deviation of either estimate.
  EXPECT_NEAR(MeanOf(Values(tensor)), 3, 6 * 2 / std::sqrt(kMany));
  EXPECT_NEAR(DeviationOf(Values(tensor)), 2, 6 * 2 / std::sqrt(2 * kMany));
}

TEST(RandomTest, UniformNumbersFillTheirRange) {
  const HostTensor tensor = Result(
      "RandomUniform", {}, OfShape({{"low", -1.0f}, {"high", 5.0f}, {"dtype", int64_t{11}}}));
  EXPECT_EQ(tensor.type(), DataType::kFp64);
  const std::vector<double> values = Values(tensor);
  EXPECT_TRUE(std::ranges::all_of(values, [](double x) { return x >= -1 && x < 5; }));
  EXPECT_NEAR(MeanOf(values), 2, 6 * std::sqrt(3.0 / kMany));
  EXPECT_NEAR(DeviationOf(values), std::sqrt(3.0), 0.1);
}

TEST(RandomTest, TheyTakeShapeAndTypeFromATensor) {
  const HostTensor like(DataType::kFp16, {3, 4});
  for (const char* const op : {"RandomNormalLike", "RandomUniformLike"}) {
    const HostTensor tensor = Result(op, {like});
    EXPECT_EQ(tensor.shape(), like.shape());
    EXPECT_EQ(tensor.type(), like.type());
    EXPECT_EQ(Result(op, {like}, {{"dtype", int64_t{1}}}).type(), DataType::kFp32);
  }
}

TEST(RandomTest, ASeedDrawsTheSameAndNoneOtherNumbers) {
  const Attributes seeded = OfShape({{"seed", 7.0f}});
  EXPECT_TRUE(Result("RandomNormal", {}, seeded).SameAs(Result("RandomNormal", {}, seeded)));
  EXPECT_FALSE(Result("RandomNormal", {}, OfShape()).SameAs(Result("RandomNormal", {}, OfShape())));
  EXPECT_FALSE(Result("RandomNormal", {}, seeded)
                   .SameAs(Result("RandomNormal", {}, OfShape({{"seed", 8.0f}}))));
}

TEST(RandomTest, BernoulliDrawsOnesAsOftenAsItIsTold) {
  std::vector<float> probabilities(kMany, 0.25F);
  probabilities[0] = 0;
  probabilities[1] = 1;
  const std::vector<double> drawn = Values(Result("Bernoulli", {Floats({kMany}, probabilities)}));
  EXPECT_EQ(drawn[0], 0);
  EXPECT_EQ(drawn[1], 1);
  EXPECT_NEAR(MeanOf(drawn), 0.25, 6 * std::sqrt(0.25 * 0.75 / kMany));
  EXPECT_FALSE(Evaluate("Bernoulli", {Floats({1}, {1.5F})}).ok());
}

TEST(RandomTest, MultinomialDrawsClassesByTheirProbabilities) {
  const HostTensor logs =
      Floats({2, 3}, {std::log(0.5F), std::log(0.2F), std::log(0.3F), 0, -INFINITY, -INFINITY});
  const HostTensor drawn = Result("Multinomial", {logs}, {{"sample_size", kMany}});
  EXPECT_EQ(drawn.type(), DataType::kInt32);
  EXPECT_EQ(drawn.shape(), (Shape{2, kMany}));
  const std::vector<double> classes = Values(drawn);
  const auto middle = classes.begin() + kMany;
  const double share =
      static_cast<double>(std::count(classes.begin(), middle, 1.0)) / static_cast<double>(kMany);
  EXPECT_NEAR(share, 0.2, 6 * std::sqrt(0.2 * 0.8 / kMany));
  EXPECT_EQ(std::count(middle, classes.end(), 0.0), kMany);
  EXPECT_FALSE(Evaluate("Multinomial", {Floats({1, 2}, {NAN, 0})}).ok());
}

TEST(RandomTest, WhatMakesNoSenseIsRefused) {
  EXPECT_FALSE(Evaluate("RandomNormal", {}, OfShape({{"scale", -1.0f}})).ok());
  EXPECT_FALSE(Evaluate("RandomUniform", {}, OfShape({{"low", 2.0f}})).ok());
  EXPECT_FALSE(Evaluate("RandomUniform", {}, OfShape({{"dtype", int64_t{7}}})).ok());
  EXPECT_FALSE(
      Evaluate("RandomNormal", {}, {{"shape", std::vector<int64_t>{1 << 20, 1 << 20}}}).ok());
}

}  // namespace
}  // namespace nereid::engine
