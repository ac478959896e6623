#include "wire/classification.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/strings.h"
#include "support/tensor_bytes.h"

namespace nereid {
namespace {

using testing::BytesOf;
using testing::PayloadOf;
using testing::StringOf;

class ClassificationTest : public ::testing::Test {
 protected:
  ClassificationTest() {
    spec_.name = "PROBABILITY";
    spec_.labels = {"cat", "dog"};
  }
  OutputTensor Output(DataType type, Shape shape, std::string_view bytes, size_t piece = SIZE_MAX) {
    return {&spec_, type, std::move(shape), PayloadOf(bytes, piece)};
  }
  // The strings of the result.
  std::vector<std::string> ClassesOf(const OutputTensor& output, uint32_t count, bool batched,
                                     Shape expected_shape) {
    auto result = Classify(output, count, batched);
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return {};
    EXPECT_EQ(result->spec, &spec_);
    EXPECT_EQ(result->data_type, DataType::kBytes);
    EXPECT_EQ(result->shape, expected_shape);
    std::vector<std::string> strings;
    const std::string bytes = StringOf(result->data);
    for (size_t position = 0; position < bytes.size();) {
      uint32_t length;
      std::memcpy(&length, bytes.data() + position, sizeof(length));
      strings.push_back(bytes.substr(position + sizeof(length), length));
      position += sizeof(length) + length;
    }
    return strings;
  }

  TensorSpec spec_;
};

using Strings = std::vector<std::string>;

TEST_F(ClassificationTest, LargestComeFirstWithIndexAndLabel) {
  const auto output = Output(DataType::kFp32, {4}, BytesOf<float>({0.5f, 3.3f, -1.0f, 2.0f}));
  EXPECT_EQ(ClassesOf(output, 3, false, {3}),
            (Strings{"3.300000:1:dog", "2.000000:3", "0.500000:0:cat"}));
}

TEST_F(ClassificationTest, EachBatchEntryIsClassifiedByItself) {
  const auto output = Output(DataType::kInt32, {2, 3}, BytesOf<int32_t>({1, 2, 3, 30, 20, 10}));
  EXPECT_EQ(ClassesOf(output, 2, true, {2, 2}),
            (Strings{"3:2", "2:1:dog", "30:0:cat", "20:1:dog"}));
  EXPECT_EQ(ClassesOf(output, 2, false, {2}), (Strings{"30:3", "20:4"}))
      << "without a batch dimension the whole tensor is one entry";
}

TEST_F(ClassificationTest, CountIsLimitedByTheEntry) {
  const auto output = Output(DataType::kUint8, {1, 2}, BytesOf<uint8_t>({200, 7}));
  EXPECT_EQ(ClassesOf(output, 4'000'000'000u, true, {1, 2}), (Strings{"200:0:cat", "7:1:dog"}));
}

TEST_F(ClassificationTest, EqualValuesKeepTheirOrderAndNaNComesLast) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto output = Output(DataType::kFp64, {5}, BytesOf<double>({nan, 1, 1, INFINITY, 1}));
  EXPECT_EQ(ClassesOf(output, 5, false, {5}),
            (Strings{"inf:3", "1.000000:1:dog", "1.000000:2", "1.000000:4", "nan:0:cat"}));
}

TEST_F(ClassificationTest, LargeNumbersAreWrittenInFull) {
  const auto output = Output(DataType::kFp64, {1}, BytesOf<double>({-1.7e308}));
  const auto strings = ClassesOf(output, 1, false, {1});
  ASSERT_EQ(strings.size(), 1u);
  EXPECT_EQ(strings[0].size(), std::string("-").size() + 309 + std::string(".000000:0:cat").size());
  const auto integers = Output(DataType::kUint64, {1}, BytesOf<uint64_t>({UINT64_MAX}));
  EXPECT_EQ(ClassesOf(integers, 1, false, {1}), (Strings{"18446744073709551615:0:cat"}));
  const auto negative = Output(DataType::kInt8, {2}, BytesOf<int8_t>({-128, -1}));
  EXPECT_EQ(ClassesOf(negative, 2, false, {2}), (Strings{"-1:1:dog", "-128:0:cat"}));
}

TEST_F(ClassificationTest, DataInPiecesIsJoined) {
  const auto output = Output(DataType::kInt16, {4}, BytesOf<int16_t>({1, 4, 3, 2}), 3);
  EXPECT_EQ(ClassesOf(output, 1, false, {1}), (Strings{"4:1:dog"}));
}

TEST_F(ClassificationTest, EmptyEntriesHaveNoClasses) {
  EXPECT_EQ(ClassesOf(Output(DataType::kFp32, {0, 3}, ""), 2, true, {0, 0}), Strings{});
  EXPECT_EQ(ClassesOf(Output(DataType::kFp32, {1LL << 60, 0}, ""), 2, true, {1LL << 60, 0}),
            Strings{});
}

TEST_F(ClassificationTest, TypesWithoutAnOrderAreRefused) {
  for (DataType type : {DataType::kBool, DataType::kFp16, DataType::kBf16, DataType::kBytes}) {
    EXPECT_EQ(Classify(Output(type, {1}, "ab"), 1, false).status(),
              absl::InvalidArgumentError(
                  StrCat("class result not available for output due to unsupported type '",
                         ProtocolName(type), "'")));
  }
}

TEST_F(ClassificationTest, LargeTensorsAreRefused) {
  const std::string bytes(1'000'001, '\0');
  EXPECT_EQ(Classify(Output(DataType::kUint8, {1'000'001}, bytes), 1, false).status(),
            absl::InvalidArgumentError("classification output tensor too large"));
}

TEST_F(ClassificationTest, DataThatDoesNotFitTheShapeIsAnInternalError) {
  EXPECT_TRUE(absl::IsInternal(Classify(Output(DataType::kFp32, {2}, "1234"), 1, false).status()));
}

}  // namespace
}  // namespace nereid
