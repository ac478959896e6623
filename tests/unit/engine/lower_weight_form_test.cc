#include "backends/cuda/ir/half.h"
#include "backends/cuda/lower/weight_form.h"
#include "gtest/gtest.h"

namespace nereid::engine {
namespace {

TEST(WeightFormTest, ConvertsFloatsAndSharesWhatFits) {
  const HostTensor tensor = HostTensor::Of<float>(DataType::kFp32, {2}, {1.5f, -2.0f});
  EXPECT_EQ(FormWeight(tensor, DataType::kFp32, {})->bytes(), tensor.bytes());
  const auto half = FormWeight(tensor, DataType::kFp16, {});
  ASSERT_TRUE(half.ok());
  EXPECT_EQ(Fp16ToFloat(half->data<uint16_t>()[1]), -2.0f);
  EXPECT_FALSE(FormWeight(tensor, DataType::kInt64, {}).ok());
}

TEST(WeightFormTest, FiltersGetTheirChannelsInnermostAndFilledUp) {
  // [K=1, C=2, R=1, S=3]
  const HostTensor filter =
      HostTensor::Of<float>(DataType::kFp32, {1, 2, 1, 3}, {1, 2, 3, 10, 20, 30});
  const auto formed = FormWeight(filter, DataType::kFp32, {WeightOrder::kFilterChannelsLast, 4});
  ASSERT_TRUE(formed.ok());
  const std::vector<float> expected = {1, 10, 0, 0, 2, 20, 0, 0, 3, 30, 0, 0};
  ASSERT_EQ(formed->element_count(), 12);
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(formed->AsDouble(i), expected[static_cast<size_t>(i)]);
}

TEST(WeightFormTest, DepthwiseFiltersGetTheirPixelsOutermost) {
  // [C=2, 1, 1, 3]
  const HostTensor filter =
      HostTensor::Of<float>(DataType::kFp32, {2, 1, 1, 3}, {1, 2, 3, 10, 20, 30});
  const auto formed = FormWeight(filter, DataType::kFp32, {WeightOrder::kDepthwise, 0});
  ASSERT_TRUE(formed.ok());
  const std::vector<float> expected = {1, 10, 2, 20, 3, 30};
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(formed->AsDouble(i), expected[static_cast<size_t>(i)]);
}

}  // namespace
}  // namespace nereid::engine
