#include "backends/cuda/lower/layout.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

TEST(LayoutTest, WhatFollowsAConvolutionIsChannelsLast) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 8, 16, 16});
  const ValueId y = maker.Op("Conv", {x, maker.Weight({16, 8, 3, 3})});
  const ValueId z = maker.Op("Relu", {y});
  const ValueId pooled = maker.Op("MaxPool", {z}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  const ValueId flat = maker.Op("Flatten", {pooled});
  maker.Output(flat);
  const std::vector<bool> plan = AssignChannelsLast(maker.graph());
  EXPECT_FALSE(plan[static_cast<size_t>(x)]);
  EXPECT_TRUE(plan[static_cast<size_t>(y)]);
  EXPECT_TRUE(plan[static_cast<size_t>(z)]);
  EXPECT_TRUE(plan[static_cast<size_t>(pooled)]);
  EXPECT_FALSE(plan[static_cast<size_t>(flat)]);
}

TEST(LayoutTest, PointwiseWorkOnPlainTensorsStaysPlain) {
  GraphMaker maker;
  const ValueId y = maker.Op("Relu", {maker.Input({2, 8, 16, 16})});
  maker.Output(y);
  EXPECT_FALSE(AssignChannelsLast(maker.graph())[static_cast<size_t>(y)]);
}

TEST(LayoutTest, TheGreaterPartOfWhatIsReadDecides) {
  GraphMaker maker;
  const ValueId image = maker.Op("Conv", {maker.Input({1, 8, 4, 4}), maker.Weight({2, 8, 1, 1})});
  const ValueId mostly_plain =
      maker.Op("Concat", {image, maker.Input({1, 30, 4, 4})}, {{"axis", int64_t{1}}});
  const ValueId mostly_image =
      maker.Op("Concat", {image, maker.Input({1, 1, 4, 4})}, {{"axis", int64_t{1}}});
  maker.Output(mostly_plain);
  maker.Output(mostly_image);
  const std::vector<bool> plan = AssignChannelsLast(maker.graph());
  EXPECT_FALSE(plan[static_cast<size_t>(mostly_plain)]);
  EXPECT_TRUE(plan[static_cast<size_t>(mostly_image)]);
}

}  // namespace
}  // namespace nereid::engine
