#include "backend/gather.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/config_text.h"
#include "support/request_builder.h"

namespace nereid {
namespace {

using testing::Bytes;
using testing::BytesOf;
using testing::ConfigFromText;
using testing::PayloadOf;
using testing::RequestBuilder;

std::shared_ptr<const ModelConfig> Config() {
  return ConfigFromText(R"(name: "m" max_batch_size: 8
    input { name: "X" data_type: TYPE_INT32 dims: [ 2 ] }
    input { name: "R" data_type: TYPE_INT32 dims: [ -1 ] allow_ragged_batch: true }
    input { name: "S" data_type: TYPE_STRING dims: [ 1 ] }
    output { name: "Y" data_type: TYPE_INT32 dims: [ 2 ] })");
}

std::vector<int32_t> Ints(const BatchTensor& tensor) {
  std::vector<int32_t> values(tensor.byte_size / sizeof(int32_t));
  std::memcpy(values.data(), tensor.data, tensor.byte_size);
  return values;
}

class Gather : public ::testing::Test {
 protected:
  void Add(const std::string& name, Shape shape, Payload data, DataType type = DataType::kInt32) {
    RequestBuilder builder(config_);
    builder.Input(name, type, std::move(shape), std::move(data));
    batch_.Add(builder.Build());
  }
  BatchTensor Run(const std::string& name, DataType type = DataType::kInt32) {
    auto tensor = GatherInput(batch_, GatherRule::For(*config_, name, type), scratch_);
    EXPECT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_TRUE(tensor->has_value());
    return **tensor;
  }
  absl::Status Error(const std::string& name) {
    return GatherInput(batch_, GatherRule::For(*config_, name, DataType::kInt32), scratch_)
        .status();
  }

  const std::shared_ptr<const ModelConfig> config_ = Config();
  Batch batch_;
  Scratch scratch_;
};

TEST_F(Gather, UsesTheBytesOfASingleRequestInPlace) {
  const Payload payload = PayloadOf(BytesOf<int32_t>({1, 2, 3, 4}));
  Add("X", {2, 2}, payload);
  const BatchTensor tensor = Run("X");
  EXPECT_EQ(tensor.data, payload.data());
  EXPECT_EQ(tensor.shape, (Shape{2, 2}));
  EXPECT_EQ(tensor.byte_size, 16u);
}

TEST_F(Gather, CopiesASingleRequestThatArrivedInPieces) {
  Add("X", {2, 2}, PayloadOf(BytesOf<int32_t>({1, 2, 3, 4}), 6));
  EXPECT_EQ(Ints(Run("X")), (std::vector<int32_t>{1, 2, 3, 4}));
}

TEST_F(Gather, StacksSeveralRequestsInOrder) {
  Add("X", {1, 2}, PayloadOf(BytesOf<int32_t>({1, 2})));
  Add("X", {3, 2}, PayloadOf(BytesOf<int32_t>({3, 4, 5, 6, 7, 8}), 5));
  Add("X", {1, 2}, PayloadOf(BytesOf<int32_t>({9, 10})));
  const BatchTensor tensor = Run("X");
  EXPECT_EQ(tensor.shape, (Shape{5, 2}));
  EXPECT_EQ(Ints(tensor), (std::vector<int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(Gather, UsesRequestsThatTouchInMemoryInPlace) {
  auto block = std::make_shared<Bytes>(BytesOf<int32_t>({1, 2, 3, 4}));
  Add("X", {1, 2}, Payload(block, block->data(), 8));
  Add("X", {1, 2}, Payload(block, block->data() + 8, 8));
  const BatchTensor tensor = Run("X");
  EXPECT_EQ(tensor.data, block->data());
  EXPECT_EQ(tensor.shape, (Shape{2, 2}));
}

TEST_F(Gather, CopiesBytesThatAreNotAlignedToTheirElements) {
  auto block = std::make_shared<Bytes>(9);
  const Bytes values = BytesOf<int32_t>({7, 8});
  std::copy(values.begin(), values.end(), block->begin() + 1);
  Add("X", {1, 2}, Payload(block, block->data() + 1, 8));
  const BatchTensor tensor = Run("X");
  EXPECT_NE(tensor.data, block->data() + 1);
  EXPECT_EQ(Ints(tensor), (std::vector<int32_t>{7, 8}));
}

TEST_F(Gather, ConcatenatesRaggedInputsIntoOneDimension) {
  Add("R", {1, 3}, PayloadOf(BytesOf<int32_t>({1, 2, 3})));
  Add("R", {1, 1}, PayloadOf(BytesOf<int32_t>({4})));
  Add("R", {1, 0}, PayloadOf({}));
  const BatchTensor tensor = Run("R");
  EXPECT_EQ(tensor.shape, (Shape{4}));
  EXPECT_EQ(Ints(tensor), (std::vector<int32_t>{1, 2, 3, 4}));
}

TEST_F(Gather, StacksEncodedStrings) {
  const Bytes first = BytesOf(std::vector<std::string>{"ab"});
  const Bytes second = BytesOf(std::vector<std::string>{"", "c"});
  Add("S", {1, 1}, PayloadOf(first), DataType::kBytes);
  Add("S", {2, 1}, PayloadOf(second), DataType::kBytes);
  const BatchTensor tensor = Run("S", DataType::kBytes);
  EXPECT_EQ(tensor.shape, (Shape{3, 1}));
  EXPECT_EQ(Bytes(tensor.data, tensor.data + tensor.byte_size),
            BytesOf(std::vector<std::string>{"ab", "", "c"}));
}

TEST_F(Gather, GivesAnEmptyTensorABlock) {
  Add("X", {0, 2}, PayloadOf({}));
  const BatchTensor tensor = Run("X");
  EXPECT_NE(tensor.data, nullptr);
  EXPECT_EQ(tensor.byte_size, 0u);
}

TEST_F(Gather, HasNoValueForAnInputThatNoRequestHas) {
  Add("X", {1, 2}, PayloadOf(BytesOf<int32_t>({1, 2})));
  auto tensor = GatherInput(batch_, GatherRule::For(*config_, "R", DataType::kInt32), scratch_);
  ASSERT_TRUE(tensor.ok());
  EXPECT_FALSE(tensor->has_value());
}

TEST_F(Gather, RefusesABatchInWhichOnlySomeHaveTheInput) {
  Add("X", {1, 2}, PayloadOf(BytesOf<int32_t>({1, 2})));
  Add("R", {1, 1}, PayloadOf(BytesOf<int32_t>({1})));
  EXPECT_EQ(Error("X").code(), absl::StatusCode::kInternal);
}

TEST_F(Gather, RefusesRequestsOfDifferentShape) {
  Add("X", {1, 2}, PayloadOf(BytesOf<int32_t>({1, 2})));
  Add("X", {1, 1}, PayloadOf(BytesOf<int32_t>({1})));
  EXPECT_EQ(Error("X").code(), absl::StatusCode::kInternal);
}

TEST_F(Gather, RefusesBytesInGpuMemory) {
  static const std::byte byte{};
  Add("X", {1, 2}, Payload(nullptr, &byte, 8, MemoryPlace{MemoryKind::kGpu, 0}));
  EXPECT_EQ(Error("X").code(), absl::StatusCode::kUnimplemented);
}

TEST(GatherRule, TakesTheShapeAsItIsWhenTheModelDoesNotBatch) {
  auto config = ConfigFromText(R"(name: "m"
    input { name: "X" data_type: TYPE_INT32 dims: [ 2, 2 ] })");
  const GatherRule rule = GatherRule::For(*config, "X", DataType::kInt32);
  EXPECT_EQ(rule.mode, GatherMode::kFirst);
  EXPECT_EQ(rule.alignment, 4u);
}

TEST(Scratch, KeepsItsBlockForSmallerSizes) {
  Scratch scratch;
  auto first = scratch.Reserve(1000);
  auto second = scratch.Reserve(10);
  auto empty = Scratch().Reserve(0);
  ASSERT_TRUE(first.ok() && second.ok() && empty.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_NE(*empty, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(*first) % 64, 0u);
}

}  // namespace
}  // namespace nereid
