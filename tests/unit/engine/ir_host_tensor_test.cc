#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "backends/cuda/ir/half.h"
#include "backends/cuda/ir/host_tensor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "gtest/gtest.h"

namespace nereid::engine {
namespace {

TEST(HostTensorTest, UnalignedBytesAreReadAligned) {
  auto file = std::make_shared<std::vector<std::byte>>(64);
  const float values[] = {1.5f, -2.0f, 3.25f};
  const std::byte* odd = file->data() + 1;
  std::memcpy(file->data() + 1, values, sizeof(values));
  const HostTensor tensor(DataType::kFp32, {3}, file, odd);
  EXPECT_EQ(tensor.bytes(), odd);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data<float>()) % alignof(float), 0u);
  EXPECT_EQ(tensor.data<float>()[2], 3.25f);
  const HostTensor copy = tensor.Reshaped({1, 3});
  EXPECT_EQ(copy.data<float>(), tensor.data<float>()) << "one copy serves all";
  EXPECT_EQ(tensor.AsDouble(1), -2.0);
}

TEST(HostTensorTest, ConvertsEveryNumber) {
  EXPECT_EQ(HostTensor::Of<uint8_t>(DataType::kBool, {1}, {1}).AsInt64(0), 1);
  EXPECT_EQ(HostTensor::Of<int8_t>(DataType::kInt8, {1}, {-7}).AsInt64(0), -7);
  EXPECT_EQ(HostTensor::Of<uint16_t>(DataType::kFp16, {1}, {0xc000}).AsDouble(0), -2.0);
  EXPECT_EQ(HostTensor::Of<uint16_t>(DataType::kBf16, {1}, {0x3fc0}).AsDouble(0), 1.5);
  EXPECT_EQ(HostTensor::Of<double>(DataType::kFp64, {1}, {1e300}).AsInt64(0),
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(HostTensor::Vector({3, -1, 4}).AsInt64Vector(), (std::vector<int64_t>{3, -1, 4}));
  EXPECT_EQ(HostTensor::Scalar(9).shape(), Shape{});
}

TEST(HostTensorTest, SameAsComparesTypeShapeAndBits) {
  const HostTensor a = HostTensor::Vector({1, 2});
  EXPECT_TRUE(a.SameAs(HostTensor::Vector({1, 2})));
  EXPECT_FALSE(a.SameAs(HostTensor::Vector({1, 3})));
  EXPECT_FALSE(a.SameAs(a.Reshaped({2, 1})));
  EXPECT_FALSE(a.SameAs(HostTensor::Of<uint64_t>(DataType::kUint64, {2}, {1, 2})));
}

TEST(HalfTest, EveryFp16SurvivesARoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = Fp16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(Fp16ToFloat(FloatToFp16(value))));
    } else {
      ASSERT_EQ(FloatToFp16(value), bits) << value;
    }
  }
}

TEST(HalfTest, RoundsToNearestEven) {
  EXPECT_EQ(FloatToFp16(1.0f + 0x1p-11f), 0x3c00);
  EXPECT_EQ(FloatToFp16(1.0f + 0x3p-11f), 0x3c02);
  EXPECT_EQ(FloatToFp16(65519.0f), 0x7bff);
  EXPECT_EQ(FloatToFp16(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToFp16(0x1p-25f), 0);
  EXPECT_EQ(FloatToFp16(0x3p-25f), 2);
  EXPECT_EQ(FloatToBf16(1.0f + 0x1p-8f), 0x3f80);
  EXPECT_EQ(FloatToBf16(1.0f + 0x3p-8f), 0x3f82);
}

TEST(OnnxTypeTest, NumbersAndNamesGoBothWays) {
  for (int i = 1; i <= 14; ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(FromOnnxType(ToOnnxType(type)), type);
    EXPECT_EQ(OnnxTypeFromName(OnnxTypeName(ToOnnxType(type))), ToOnnxType(type));
  }
  EXPECT_EQ(FromOnnxType(22), DataType::kInvalid);
  EXPECT_EQ(OnnxTypeName(22), "INT4");
  EXPECT_EQ(FromOnnxType(-3), DataType::kInvalid);
}

}  // namespace
}  // namespace nereid::engine
