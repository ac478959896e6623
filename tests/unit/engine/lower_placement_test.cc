#include "backends/cuda/lower/placement.h"
#include "gtest/gtest.h"

namespace nereid::engine {
namespace {

Placement Dense(const Shape& shape) { return {0, DataType::kFp32, 0, shape, DenseStrides(shape)}; }

TEST(PlacementTest, TheStepOfASliceOfOneRowDoesNotMatter) {
  const Placement whole = Dense({20, 5});
  EXPECT_EQ(ViewSliced(whole, 0, 3, 1, INT64_MIN).strides, whole.strides);
  EXPECT_EQ(ViewSliced(whole, 0, 3, 2, -2).strides[0], -2 * whole.strides[0]);
}

TEST(PlacementTest, ReshapeOfADenseValueIsAView) {
  const auto view = ViewReshaped(Dense({2, 3, 4}), {6, 2, 2});
  ASSERT_TRUE(view);
  EXPECT_TRUE(IsDense(*view));
}

TEST(PlacementTest, ReshapeCutsTheRowsOfAMergedProductIntoHeads) {
  // The second of three parts of [2, 5, 12].
  const Placement part = ViewSliced(Dense({2, 5, 12}), 2, 4, 4, 1);
  const auto heads = ViewReshaped(part, {2, 5, 2, 2});
  ASSERT_TRUE(heads);
  EXPECT_EQ(heads->offset, 4);
  EXPECT_EQ(heads->strides, (std::vector<int64_t>{60, 12, 2, 1}));
  EXPECT_FALSE(IsDense(*heads));
}

TEST(PlacementTest, ReshapeAcrossAGapIsNoView) {
  const Placement part = ViewSliced(Dense({2, 5, 12}), 2, 4, 4, 1);
  EXPECT_FALSE(ViewReshaped(part, {2, 20}));
  EXPECT_TRUE(ViewReshaped(part, {10, 4}));
}

TEST(PlacementTest, ReshapeThatMixesPermutedAxesIsNoView) {
  const Placement permuted = ViewPermuted(Dense({2, 3, 4}), {1, 0, 2});
  EXPECT_FALSE(ViewReshaped(permuted, {6, 4}));
  EXPECT_TRUE(ViewReshaped(permuted, {3, 2, 2, 2}));
}

TEST(PlacementTest, AxesOfOneElementDoNotCount) {
  Placement pixel = Dense({4, 8, 1, 1});
  EXPECT_TRUE(IsDense(pixel));
  EXPECT_TRUE(IsChannelsLast(pixel));
  EXPECT_FALSE(IsChannelsLast(Dense({4, 8, 2, 2})));
}

TEST(PlacementTest, ChannelsLastIsTheDenseOrderOfItsPermutation) {
  const Shape shape = {2, 3, 4, 5};
  const Placement image{0, DataType::kFp16, 0, shape, ChannelsLastStrides(shape)};
  EXPECT_TRUE(IsChannelsLast(image));
  EXPECT_FALSE(IsDense(image));
  EXPECT_EQ(*DenseOrder(image), (std::vector<int64_t>{0, 2, 3, 1}));
  EXPECT_TRUE(IsDense(ViewPermuted(image, {0, 2, 3, 1})));
}

TEST(PlacementTest, GapsAndRepeatsHaveNoDenseOrder) {
  EXPECT_FALSE(DenseOrder(ViewSliced(Dense({4, 6}), 1, 0, 3, 1)));
  EXPECT_FALSE(DenseOrder(ViewExpanded(Dense({1, 6}), {4, 6})));
  EXPECT_TRUE(DenseOrder(ViewSliced(Dense({4, 6}), 0, 1, 2, 1)));
}

TEST(PlacementTest, ReversedSliceWalksBackwards) {
  const Placement reversed = ViewSliced(Dense({4, 6}), 0, 3, 4, -1);
  EXPECT_EQ(reversed.offset, 18);
  EXPECT_EQ(reversed.strides[0], -6);
  EXPECT_FALSE(DenseOrder(reversed));
}

TEST(PlacementTest, ExpandRepeatsAtTheEndAligned) {
  const Placement spread = ViewExpanded(Dense({3, 1}), {2, 3, 5});
  EXPECT_EQ(spread.strides, (std::vector<int64_t>{0, 1, 0}));
}

}  // namespace
}  // namespace nereid::engine
