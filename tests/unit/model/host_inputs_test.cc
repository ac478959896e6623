#include "model/host_inputs.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "support/config_text.h"
#include "support/fake_cuda.h"
#include "support/request_builder.h"

namespace nereid {
namespace {

using testing::BytesOf;
using testing::FakeCuda;
using testing::RequestBuilder;
using testing::ValuesOf;

class HostInputsTest : public ::testing::Test {
 protected:
  // One request with INPUT0 in host memory and INPUT1 on a GPU.
  std::shared_ptr<testing::SinkRecord> Add(int32_t value) {
    values_.push_back(std::make_unique<std::vector<int32_t>>(4, value));
    const Payload on_gpu(nullptr, reinterpret_cast<const std::byte*>(values_.back()->data()), 16,
                         {MemoryKind::kGpu, value % 4});
    RequestBuilder builder(config_);
    builder.Input("INPUT0", DataType::kInt32, {1, 4}, std::vector<int32_t>(4, -value))
        .Input("INPUT1", DataType::kInt32, {1, 4}, on_gpu);
    auto record = builder.record();
    batch_.Add(builder.Build());
    return record;
  }

  FakeCuda cuda_;
  std::shared_ptr<const ModelConfig> config_ = testing::ConfigFromText(R"(
    name: "m" backend: "b" max_batch_size: 8
    input { name: "INPUT0" data_type: TYPE_INT32 dims: 4 }
    input { name: "INPUT1" data_type: TYPE_INT32 dims: 4 }
    output { name: "OUTPUT0" data_type: TYPE_INT32 dims: 4 })");
  std::vector<std::unique_ptr<std::vector<int32_t>>> values_;
  Batch batch_;
};

TEST_F(HostInputsTest, InputsOnGpusAreCopiedAndNoOthers) {
  Add(4);
  Add(5);
  const std::byte* host = batch_.request(0).inputs[0].data.data();
  BringInputsToHost(batch_);
  ASSERT_EQ(batch_.size(), 2u);
  EXPECT_EQ(cuda_.copies(), 2);
  EXPECT_EQ(batch_.request(0).inputs[0].data.data(), host);
  for (size_t i = 0; i < 2; ++i) {
    const Payload& copied = batch_.request(i).inputs[1].data;
    EXPECT_TRUE(copied.place().HostAccessible());
    EXPECT_EQ(ValuesOf<int32_t>(copied), *values_[i]);
  }
}

TEST_F(HostInputsTest, ARequestThatCannotBeCopiedFailsAlone) {
  const auto first = Add(4);
  const auto second = Add(6);  // on a GPU that is not there
  const auto third = Add(5);
  BringInputsToHost(batch_);
  ASSERT_EQ(batch_.size(), 2u);
  EXPECT_EQ(batch_.total_batch_size(), 2);
  EXPECT_EQ(second->finals(), 1);
  EXPECT_EQ(second->status().message(), "there is no CUDA device 2");
  EXPECT_EQ(first->finals() + third->finals(), 0);
}

}  // namespace
}  // namespace nereid
