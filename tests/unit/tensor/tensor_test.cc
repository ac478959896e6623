#include <gtest/gtest.h>

#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid {
namespace {

TEST(DataTypeTest, NamesAndNumbersAreThoseOfTheContract) {
  struct Row {
    DataType type;
    int number;
    const char* protocol;
    const char* config;
    size_t bytes;
  };
  const Row rows[] = {
      {DataType::kBool, 1, "BOOL", "TYPE_BOOL", 1},
      {DataType::kUint8, 2, "UINT8", "TYPE_UINT8", 1},
      {DataType::kUint16, 3, "UINT16", "TYPE_UINT16", 2},
      {DataType::kUint32, 4, "UINT32", "TYPE_UINT32", 4},
      {DataType::kUint64, 5, "UINT64", "TYPE_UINT64", 8},
      {DataType::kInt8, 6, "INT8", "TYPE_INT8", 1},
      {DataType::kInt16, 7, "INT16", "TYPE_INT16", 2},
      {DataType::kInt32, 8, "INT32", "TYPE_INT32", 4},
      {DataType::kInt64, 9, "INT64", "TYPE_INT64", 8},
      {DataType::kFp16, 10, "FP16", "TYPE_FP16", 2},
      {DataType::kFp32, 11, "FP32", "TYPE_FP32", 4},
      {DataType::kFp64, 12, "FP64", "TYPE_FP64", 8},
      {DataType::kBytes, 13, "BYTES", "TYPE_STRING", 0},
      {DataType::kBf16, 14, "BF16", "TYPE_BF16", 2},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(static_cast<int>(row.type), row.number);
    EXPECT_EQ(ProtocolName(row.type), row.protocol);
    EXPECT_EQ(ConfigName(row.type), row.config);
    EXPECT_EQ(ElementByteSize(row.type), row.bytes);
    EXPECT_EQ(DataTypeFromProtocolName(row.protocol), row.type);
  }
  EXPECT_EQ(DataTypeFromProtocolName("fp32"), DataType::kInvalid);
  EXPECT_EQ(DataTypeFromProtocolName(""), DataType::kInvalid);
}

TEST(ShapeTest, CountsElements) {
  EXPECT_EQ(*ElementCount({}), 1);
  EXPECT_EQ(*ElementCount({2, 3}), 6);
  EXPECT_EQ(*ElementCount({0, int64_t{1} << 62, int64_t{1} << 62}), 0);
  EXPECT_FALSE(ElementCount({int64_t{1} << 62, 4}).ok());
  EXPECT_FALSE(ElementCount({-1, 4}).ok());
}

TEST(ShapeTest, ByteSizeOverflowIsAnError) {
  EXPECT_EQ(*DenseByteSize(DataType::kFp32, {2, 3}), 24);
  EXPECT_FALSE(DenseByteSize(DataType::kFp32, {int64_t{1} << 62}).ok());
  EXPECT_FALSE(DenseByteSize(DataType::kBytes, {1}).ok());
}

TEST(ShapeTest, PrintsWithoutBlanks) {
  EXPECT_EQ(ShapeToString({-1, 16}), "[-1,16]");
  EXPECT_EQ(ShapeToString({}), "[]");
}

}  // namespace
}  // namespace nereid
