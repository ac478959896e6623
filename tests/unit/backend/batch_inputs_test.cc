#include "backend/batch_inputs.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "support/config_text.h"
#include "support/request_builder.h"

namespace nereid {
namespace {

using testing::ConfigFromText;
using testing::RequestBuilder;

// Three requests with the tensors [1,3], [2,4] and [1,0].
Batch MakeBatch(const std::shared_ptr<const ModelConfig>& config) {
  Batch batch;
  for (const Shape& shape : {Shape{1, 3}, Shape{2, 4}, Shape{1, 0}}) {
    RequestBuilder builder(config);
    builder.Input("X", DataType::kFp32, shape,
                  std::vector<float>(static_cast<size_t>(*ElementCount(shape))));
    batch.Add(builder.Build());
  }
  return batch;
}

struct Case {
  std::string kind;
  Shape shape;
  std::vector<int32_t> values;
};

void PrintTo(const Case& row, std::ostream* out) { *out << row.kind; }

class BatchInput : public ::testing::TestWithParam<Case> {
 protected:
  std::shared_ptr<const ModelConfig> Config(const std::string& type) const {
    return ConfigFromText(R"(name: "m" max_batch_size: 8
      input { name: "X" data_type: TYPE_FP32 dims: [ -1 ] allow_ragged_batch: true }
      batch_input { kind: )" +
                          GetParam().kind + R"( target_name: [ "A", "B" ] data_type: )" + type +
                          R"( source_input: "X" })");
  }
};

template <typename T>
std::vector<T> Read(const BatchTensor& tensor) {
  std::vector<T> values(tensor.byte_size / sizeof(T));
  std::memcpy(values.data(), tensor.data, tensor.byte_size);
  return values;
}

TEST_P(BatchInput, DescribesTheBatchInIntegers) {
  auto config = Config("TYPE_INT32");
  const auto rules = BatchInputRules(*config);
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].targets, (std::vector<std::string>{"A", "B"}));
  Scratch scratch;
  auto tensor = ComputeBatchInput(MakeBatch(config), rules[0], scratch);
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->data_type, DataType::kInt32);
  EXPECT_EQ(tensor->shape, GetParam().shape);
  EXPECT_EQ(Read<int32_t>(*tensor), GetParam().values);
}

TEST_P(BatchInput, DescribesTheBatchInFloats) {
  auto config = Config("TYPE_FP32");
  Scratch scratch;
  auto tensor = ComputeBatchInput(MakeBatch(config), BatchInputRules(*config)[0], scratch);
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->data_type, DataType::kFp32);
  const std::vector<float> expected(GetParam().values.begin(), GetParam().values.end());
  EXPECT_EQ(Read<float>(*tensor), expected);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BatchInput,
    ::testing::Values(Case{"BATCH_ELEMENT_COUNT", {3}, {3, 8, 0}},
                      Case{"BATCH_ACCUMULATED_ELEMENT_COUNT", {3}, {3, 11, 11}},
                      Case{"BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO", {4}, {0, 3, 11, 11}},
                      Case{"BATCH_MAX_ELEMENT_COUNT_AS_SHAPE", {8}, {0, 0, 0, 0, 0, 0, 0, 0}},
                      Case{"BATCH_ITEM_SHAPE", {4, 1}, {3, 4, 4, 0}},
                      Case{"BATCH_ITEM_SHAPE_FLATTEN", {4}, {3, 4, 4, 0}}),
    [](const auto& info) { return info.param.kind; });

}  // namespace
}  // namespace nereid
