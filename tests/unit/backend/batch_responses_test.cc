#include "backend/batch_responses.h"

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
using testing::FindOutput;
using testing::RequestBuilder;
using testing::SinkRecord;
using testing::ValuesOf;

std::shared_ptr<const ModelConfig> Config() {
  return ConfigFromText(R"(name: "m" max_batch_size: 8
    input { name: "X" data_type: TYPE_INT32 dims: [ -1 ] allow_ragged_batch: true }
    output { name: "Y" data_type: TYPE_INT32 dims: [ 2 ] }
    output { name: "S" data_type: TYPE_STRING dims: [ 1 ] }
    output { name: "T" data_type: TYPE_INT32 dims: [ 1 ] reshape { shape: [ ] } }
    output { name: "P" data_type: TYPE_INT32 dims: [ -1 ] }
    batch_output { target_name: "P" kind: BATCH_SCATTER_WITH_INPUT_SHAPE source_input: "X" })");
}

class Responses : public ::testing::Test {
 protected:
  // A request with `rows` rows of `width` numbers that wants `outputs` (all when empty).
  void Add(int64_t rows, const std::vector<std::string>& outputs = {}, int64_t width = 1) {
    RequestBuilder builder(config_);
    builder.Input("X", DataType::kInt32, {rows, width},
                  std::vector<int32_t>(static_cast<size_t>(rows * width)));
    for (const std::string& output : outputs) builder.Output(output);
    records_.push_back(builder.record());
    batch_.Add(builder.Build());
  }
  const TensorSpec& Spec(const std::string& name) { return *config_->FindOutput(name); }
  // The output of request i; fails the test when it is not there.
  const OutputTensor& OutputOf(size_t i, const std::string& name) {
    responses_.push_back(records_[i]->responses());
    EXPECT_EQ(responses_.back().size(), 1u);
    const OutputTensor* output = FindOutput(responses_.back().at(0), name);
    EXPECT_NE(output, nullptr) << name;
    static const OutputTensor none;
    return output == nullptr ? none : *output;
  }

  const std::shared_ptr<const ModelConfig> config_ = Config();
  const ScatterRules rules_ = ScatterRules::For(*config_);
  Batch batch_;
  std::vector<std::shared_ptr<SinkRecord>> records_;
  std::vector<std::vector<InferResponse>> responses_;
};

TEST_F(Responses, GiveEachRequestItsRows) {
  Add(1);
  Add(2);
  BatchResponses responses(batch_, rules_);
  const Bytes data = BytesOf<int32_t>({1, 2, 3, 4, 5, 6});
  ASSERT_TRUE(responses.AddTensor(Spec("Y"), DataType::kInt32, {3, 2}, data).ok());
  responses.Send();
  EXPECT_EQ(OutputOf(0, "Y").shape, (Shape{1, 2}));
  EXPECT_EQ(ValuesOf<int32_t>(OutputOf(0, "Y").data), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(OutputOf(1, "Y").shape, (Shape{2, 2}));
  EXPECT_EQ(ValuesOf<int32_t>(OutputOf(1, "Y").data), (std::vector<int32_t>{3, 4, 5, 6}));
  EXPECT_EQ(records_[0]->finals(), 1);
  EXPECT_EQ(records_[1]->finals(), 1);
}

TEST_F(Responses, LeaveOutWhatARequestDidNotAskFor) {
  Add(1, {"T"});
  Add(1, {"Y"});
  BatchResponses responses(batch_, rules_);
  EXPECT_TRUE(responses.AnyWants(Spec("Y")));
  EXPECT_TRUE(responses.AnyWants(Spec("T")));
  EXPECT_FALSE(responses.AnyWants(Spec("S")));
  const Bytes rows = BytesOf<int32_t>({1, 2, 3, 4});
  ASSERT_TRUE(responses.AddTensor(Spec("Y"), DataType::kInt32, {2, 2}, rows).ok());
  responses.Send();
  EXPECT_TRUE(records_[0]->responses().at(0).outputs.empty());
  EXPECT_EQ(ValuesOf<int32_t>(OutputOf(1, "Y").data), (std::vector<int32_t>{3, 4}));
}

TEST_F(Responses, UndoTheReshape) {
  Add(2);
  BatchResponses responses(batch_, rules_);
  ASSERT_TRUE(responses.AddTensor(Spec("T"), DataType::kInt32, {2}, BytesOf<int32_t>({1, 2})).ok());
  responses.Send();
  EXPECT_EQ(OutputOf(0, "T").shape, (Shape{2, 1}));
}

TEST_F(Responses, DivideEncodedStringsByTheirLengths) {
  Add(2);
  Add(1);
  BatchResponses responses(batch_, rules_);
  const Bytes data = BytesOf(std::vector<std::string>{"a", "", "xyz"});
  ASSERT_TRUE(responses.AddTensor(Spec("S"), DataType::kBytes, {3, 1}, data).ok());
  responses.Send();
  EXPECT_EQ(BytesOf(OutputOf(0, "S").data), BytesOf(std::vector<std::string>{"a", ""}));
  EXPECT_EQ(BytesOf(OutputOf(1, "S").data), BytesOf(std::vector<std::string>{"xyz"}));
}

TEST_F(Responses, EncodeStringsForEachRequest) {
  Add(1);
  Add(2);
  BatchResponses responses(batch_, rules_);
  const std::string text("ab\0cdef", 7);
  const std::vector<size_t> offsets = {0, 3, 3};
  ASSERT_TRUE(responses.AddStrings(Spec("S"), {3, 1}, {text.data(), text.size(), offsets}).ok());
  responses.Send();
  EXPECT_EQ(BytesOf(OutputOf(0, "S").data),
            BytesOf(std::vector<std::string>{std::string("ab\0", 3)}));
  EXPECT_EQ(BytesOf(OutputOf(1, "S").data), BytesOf(std::vector<std::string>{"", "cdef"}));
  EXPECT_EQ(OutputOf(1, "S").data_type, DataType::kBytes);
}

TEST_F(Responses, DivideABatchOutputLikeTheInputOfEachRequest) {
  Add(1, {}, 3);
  Add(1, {}, 1);
  BatchResponses responses(batch_, rules_);
  ASSERT_TRUE(
      responses.AddTensor(Spec("P"), DataType::kInt32, {4}, BytesOf<int32_t>({1, 2, 3, 4})).ok());
  responses.Send();
  EXPECT_EQ(OutputOf(0, "P").shape, (Shape{1, 3}));
  EXPECT_EQ(ValuesOf<int32_t>(OutputOf(0, "P").data), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(OutputOf(1, "P").shape, (Shape{1, 1}));
  EXPECT_EQ(ValuesOf<int32_t>(OutputOf(1, "P").data), (std::vector<int32_t>{4}));
}

TEST_F(Responses, HandOnThePayloadOfASingleRequest) {
  Add(1);
  BatchResponses responses(batch_, rules_);
  const Payload payload = testing::PayloadOf(BytesOf<int32_t>({1, 2}));
  ASSERT_TRUE(responses.AddPayload(Spec("Y"), DataType::kInt32, {1, 2}, payload).ok());
  responses.Send();
  EXPECT_EQ(OutputOf(0, "Y").data.data(), payload.data());
}

TEST_F(Responses, RefuseAPayloadForSeveralRequests) {
  Add(1);
  Add(1);
  BatchResponses responses(batch_, rules_);
  EXPECT_FALSE(responses.AddPayload(Spec("Y"), DataType::kInt32, {2, 2}, Payload()).ok());
}

TEST_F(Responses, RefuseOutputsThatDoNotAddUp) {
  Add(1);
  Add(2);
  BatchResponses responses(batch_, rules_);
  const Bytes six = BytesOf<int32_t>({1, 2, 3, 4, 5, 6});
  const auto add = [&](const char* name, Shape shape, const Bytes& data) {
    return responses.AddTensor(Spec(name), Spec(name).data_type, shape, data).code();
  };
  EXPECT_EQ(add("Y", {2, 2}, six), absl::StatusCode::kInternal) << "too few rows";
  EXPECT_EQ(add("Y", {4, 2}, six), absl::StatusCode::kInternal) << "too many rows";
  EXPECT_EQ(add("Y", {}, six), absl::StatusCode::kInternal) << "no batch dimension";
  EXPECT_EQ(add("Y", {3, 3}, six), absl::StatusCode::kInternal) << "too few bytes";
  EXPECT_EQ(add("Y", {3, 1}, six), absl::StatusCode::kInternal) << "too many bytes";
  EXPECT_EQ(add("P", {5}, six), absl::StatusCode::kInternal) << "not the inputs' size";
  EXPECT_EQ(add("S", {3, 1}, BytesOf(std::vector<std::string>{"a"})), absl::StatusCode::kInternal)
      << "too few strings";
}

// A sink without memory.
TEST_F(Responses, GiveBuffersForTheWantedPartsOfAnOutput) {
  Add(1);
  Add(2, {"T"});
  Add(3, {"Y"});
  BatchResponses responses(batch_, rules_);
  const auto slices = responses.AddBuffers(Spec("Y"), DataType::kInt32, {6, 2}, {});
  ASSERT_TRUE(slices.ok()) << slices.status();
  ASSERT_EQ(slices->size(), 2u);
  EXPECT_EQ((*slices)[0].offset, 0u);
  EXPECT_EQ((*slices)[0].buffer.size(), 8u);
  EXPECT_EQ((*slices)[1].offset, 24u);
  EXPECT_EQ((*slices)[1].buffer.size(), 24u);
  const Bytes data = BytesOf<int32_t>({1, 2, 0, 0, 0, 0, 7, 8, 9, 10, 11, 12});
  for (const auto& [offset, buffer] : *slices) {
    std::memcpy(buffer.data(), data.data() + offset, buffer.size());
  }
  responses.Send();
  EXPECT_EQ(ValuesOf<int32_t>(OutputOf(0, "Y").data), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(ValuesOf<int32_t>(OutputOf(2, "Y").data), (std::vector<int32_t>{7, 8, 9, 10, 11, 12}));
  EXPECT_TRUE(records_[1]->responses().at(0).outputs.empty());
}

TEST_F(Responses, GiveNoBuffersForStrings) {
  Add(1);
  BatchResponses responses(batch_, rules_);
  EXPECT_FALSE(responses.AddBuffers(Spec("S"), DataType::kBytes, {1, 1}, {}).ok());
}

class FullSink : public ResponseSink {
 public:
  explicit FullSink(absl::Status* answer) : answer_(answer) {}
  absl::StatusOr<Buffer> Allocate(const TensorSpec&, size_t, MemoryPlace) noexcept override {
    return absl::ResourceExhaustedError("full");
  }
  void Send(InferResponse response, bool) noexcept override { *answer_ = response.status; }
  void Finish() noexcept override {}

 private:
  absl::Status* answer_;
};

TEST_F(Responses, FailOnlyTheRequestWhoseSinkHasNoMemory) {
  absl::Status answer;
  auto request = std::make_unique<InferRequest>(std::make_unique<FullSink>(&answer));
  request->config = config_;
  batch_.Add(std::move(request));
  Add(1);
  records_.insert(records_.begin(), nullptr);
  BatchResponses responses(batch_, rules_);
  const Bytes data = BytesOf<int32_t>({1, 2, 3, 4});
  ASSERT_TRUE(responses.AddTensor(Spec("Y"), DataType::kInt32, {2, 2}, data).ok());
  responses.Send();
  EXPECT_EQ(answer.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ValuesOf<int32_t>(OutputOf(1, "Y").data), (std::vector<int32_t>{3, 4}));
}

}  // namespace
}  // namespace nereid
