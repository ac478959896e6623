#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "backend_fixture.h"
#include "common/strings.h"

namespace nereid {
namespace {

using testing::BackendTest;
using testing::Bytes;
using testing::BytesOf;
using testing::FindOutput;
using testing::PayloadOf;

std::string Config(const std::string& type) {
  std::string text = R"(name: "m" backend: "add_sub" max_batch_size: 8 )";
  for (const char* tensor : {R"(input { name: "INPUT0" )", R"(input { name: "INPUT1" )",
                             R"(output { name: "OUTPUT0" )", R"(output { name: "OUTPUT1" )"}) {
    text += StrCat(tensor, "data_type: ", type, " dims: [ 2 ] } ");
  }
  return text;
}

struct Case {
  DataType type;
  Bytes left, right, sum, difference;
};

template <typename T>
Case Make(DataType type, std::vector<T> left, std::vector<T> right, std::vector<T> sum,
          std::vector<T> difference) {
  return {type, BytesOf(left), BytesOf(right), BytesOf(sum), BytesOf(difference)};
}

void PrintTo(const Case& row, std::ostream* out) { *out << ProtocolName(row.type); }

class AddSubOf : public BackendTest, public ::testing::WithParamInterface<Case> {};

TEST_P(AddSubOf, AddsAndSubtracts) {
  const Case& row = GetParam();
  ASSERT_TRUE(Load(Config(std::string(ConfigName(row.type)))).ok());
  auto request = Request();
  request.Input("INPUT0", row.type, {1, 2}, PayloadOf(row.left))
      .Input("INPUT1", row.type, {1, 2}, PayloadOf(row.right, 1));
  auto record = request.record();
  ASSERT_TRUE(Execute({&request}).ok());
  ASSERT_TRUE(record->status().ok()) << record->status();
  const auto responses = record->responses();
  EXPECT_EQ(BytesOf(FindOutput(responses[0], "OUTPUT0")->data), row.sum);
  EXPECT_EQ(BytesOf(FindOutput(responses[0], "OUTPUT1")->data), row.difference);
  EXPECT_EQ(FindOutput(responses[0], "OUTPUT0")->shape, (Shape{1, 2}));
}

constexpr int64_t kMin64 = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax64 = std::numeric_limits<int64_t>::max();

INSTANTIATE_TEST_SUITE_P(
    Types, AddSubOf,
    ::testing::Values(
        Make<uint8_t>(DataType::kUint8, {250, 3}, {10, 5}, {4, 8}, {240, 254}),
        Make<uint16_t>(DataType::kUint16, {65535, 3}, {1, 5}, {0, 8}, {65534, 65534}),
        Make<uint32_t>(DataType::kUint32, {1, 3}, {2, 5}, {3, 8}, {0xffffffff, 0xfffffffe}),
        Make<uint64_t>(DataType::kUint64, {9, 1}, {2, 5}, {11, 6}, {7, UINT64_MAX - 3}),
        Make<int8_t>(DataType::kInt8, {127, -3}, {1, 5}, {-128, 2}, {126, -8}),
        Make<int16_t>(DataType::kInt16, {100, -3}, {1, 5}, {101, 2}, {99, -8}),
        Make<int32_t>(DataType::kInt32, {INT32_MAX, -3}, {1, 5}, {INT32_MIN, 2},
                      {INT32_MAX - 1, -8}),
        Make<int64_t>(DataType::kInt64, {kMax64, kMin64}, {1, 1}, {kMin64, kMin64 + 1},
                      {kMax64 - 1, kMax64}),
        Make<float>(DataType::kFp32, {1.5f, -3}, {0.25f, 5}, {1.75f, 2}, {1.25f, -8}),
        Make<double>(DataType::kFp64, {1.5, 1e300}, {0.25, 1}, {1.75, 1e300}, {1.25, 1e300}),
        // FP16: 1.5, 65504 (largest); 0.25, 65504. The sum overflows to infinity.
        Make<uint16_t>(DataType::kFp16, {0x3e00, 0x7bff}, {0x3400, 0x7bff}, {0x3f00, 0x7c00},
                       {0x3d00, 0x0000}),
        // BF16: 1.5, 256; 0.25, 1. 257 needs 9 bits and rounds to even, 256; 255 fits.
        Make<uint16_t>(DataType::kBf16, {0x3fc0, 0x4380}, {0x3e80, 0x3f80}, {0x3fe0, 0x4380},
                       {0x3fa0, 0x437f})),
    [](const auto& info) { return std::string(ProtocolName(info.param.type)); });

// The halves a 16-bit float has trouble with, against INPUT1 = 0.
TEST_F(BackendTest, AddSubKeepsEveryFp16ThatItAddsZeroTo) {
  ASSERT_TRUE(Load(Config("TYPE_FP16")).ok());
  std::vector<uint16_t> values;
  for (int bits = 0; bits < 0x10000; ++bits) {
    const bool is_nan = (bits & 0x7c00) == 0x7c00 && (bits & 0x3ff) != 0;
    if (!is_nan && bits != 0x8000) values.push_back(static_cast<uint16_t>(bits));
  }
  auto request = Request();
  const auto count = static_cast<int64_t>(values.size());
  request.Input("INPUT0", DataType::kFp16, {1, count}, values)
      .Input("INPUT1", DataType::kFp16, {1, count}, std::vector<uint16_t>(values.size()));
  auto record = request.record();
  ASSERT_TRUE(Execute({&request}).ok());
  EXPECT_EQ(testing::ValuesOf<uint16_t>(FindOutput(record->responses()[0], "OUTPUT0")->data),
            values);
}

TEST_F(BackendTest, AddSubAnswersEachRequestOfABatch) {
  ASSERT_TRUE(Load(Config("TYPE_INT32")).ok());
  auto first = Request(), second = Request(), wrong = Request();
  first.Input<int32_t>("INPUT0", DataType::kInt32, {1, 2}, {1, 2})
      .Input<int32_t>("INPUT1", DataType::kInt32, {1, 2}, {10, 20})
      .Output("OUTPUT1");
  second.Input<int32_t>("INPUT0", DataType::kInt32, {2, 2}, {1, 2, 3, 4})
      .Input<int32_t>("INPUT1", DataType::kInt32, {2, 2}, {1, 1, 1, 1});
  wrong.Input<int32_t>("INPUT0", DataType::kInt32, {1, 2}, {1, 2})
      .Input<int32_t>("INPUT1", DataType::kInt32, {1, 1}, {1});
  auto records = {first.record(), second.record(), wrong.record()};
  ASSERT_TRUE(Execute({&first, &second, &wrong}).ok());
  const auto* record = records.begin();
  EXPECT_EQ((*record)->responses()[0].outputs.size(), 1u);
  EXPECT_EQ(testing::ValuesOf<int32_t>((*record)->responses()[0].outputs[0].data),
            (std::vector<int32_t>{-9, -18}));
  ++record;
  EXPECT_EQ(testing::ValuesOf<int32_t>(FindOutput((*record)->responses()[0], "OUTPUT0")->data),
            (std::vector<int32_t>{2, 3, 4, 5}));
  ++record;
  EXPECT_EQ((*record)->status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BackendTest, AddSubRefusesWhatHasNoArithmeticOrOtherNames) {
  for (const std::string& text :
       {Config("TYPE_STRING"), Config("TYPE_BOOL"), std::string(R"(name: "m" backend: "add_sub"
          input { name: "A" data_type: TYPE_FP32 dims: [ 1 ] }
          output { name: "B" data_type: TYPE_FP32 dims: [ 1 ] })")}) {
    EXPECT_EQ(Load(text).code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace nereid
