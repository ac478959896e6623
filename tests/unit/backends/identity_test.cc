#include <gtest/gtest.h>

#include <chrono>
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

class Identity : public BackendTest {};

std::string Config(const std::string& rest) {
  return R"(name: "m" backend: "identity" max_batch_size: 8 )" + rest;
}

constexpr char kTwoTensors[] = R"(
  input { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] }
  input { name: "INPUT1" data_type: TYPE_STRING dims: [ 1 ] optional: true }
  output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] }
  output { name: "OUTPUT1" data_type: TYPE_STRING dims: [ 1 ] })";

TEST_F(Identity, HandsOnThePiecesOfTheInputWithoutACopy) {
  ASSERT_TRUE(Load(Config(kTwoTensors)).ok());
  const Payload numbers = PayloadOf(BytesOf<float>({1, 2, 3}), 5);
  ASSERT_GT(numbers.segments().size(), 1u);
  auto request = Request();
  request.Input("INPUT0", DataType::kFp32, {1, 3}, numbers)
      .Input<std::string>("INPUT1", DataType::kBytes, {1, 1}, {"text"});
  auto record = request.record();
  ASSERT_TRUE(Execute({&request}).ok());
  const auto responses = record->responses();
  ASSERT_EQ(responses.size(), 1u);
  const OutputTensor* output = FindOutput(responses[0], "OUTPUT0");
  ASSERT_NE(output, nullptr);
  EXPECT_EQ(output->shape, (Shape{1, 3}));
  EXPECT_EQ(output->data_type, DataType::kFp32);
  EXPECT_EQ(output->data.segments(), numbers.segments());
  ASSERT_NE(FindOutput(responses[0], "OUTPUT1"), nullptr);
  EXPECT_EQ(BytesOf(FindOutput(responses[0], "OUTPUT1")->data),
            BytesOf(std::vector<std::string>{"text"}));
}

TEST_F(Identity, KeepsBytesAliveThatOnlyTheRequestHeld) {
  ASSERT_TRUE(Load(Config(kTwoTensors)).ok());
  auto block = std::make_shared<Bytes>(BytesOf<float>({4}));
  std::weak_ptr<Bytes> watch = block;
  auto request = Request();
  request.Input("INPUT0", DataType::kFp32, {1, 1}, Payload(nullptr, block->data(), 4));
  auto record = request.record();
  Batch batch;
  batch.Add(request.Build());
  batch.request(0).storage = std::move(block);
  ASSERT_TRUE(GuardedExecute(*instance_, batch).ok());
  batch = Batch();
  EXPECT_FALSE(watch.expired()) << "the response must hold the bytes";
  EXPECT_EQ(testing::ValuesOf<float>(record->responses()[0].outputs[0].data),
            (std::vector<float>{4}));
}

TEST_F(Identity, LeavesOutWhatWasNotSentOrNotAskedFor) {
  ASSERT_TRUE(Load(Config(kTwoTensors)).ok());
  auto absent = Request();
  absent.Input<float>("INPUT0", DataType::kFp32, {1, 1}, {1});
  auto unwanted = Request();
  unwanted.Input<float>("INPUT0", DataType::kFp32, {1, 1}, {1})
      .Input<std::string>("INPUT1", DataType::kBytes, {1, 1}, {"x"})
      .Output("OUTPUT1");
  auto absent_record = absent.record(), unwanted_record = unwanted.record();
  ASSERT_TRUE(Execute({&absent, &unwanted}).ok());
  EXPECT_EQ(FindOutput(absent_record->responses()[0], "OUTPUT1"), nullptr);
  EXPECT_NE(FindOutput(absent_record->responses()[0], "OUTPUT0"), nullptr);
  EXPECT_EQ(FindOutput(unwanted_record->responses()[0], "OUTPUT0"), nullptr);
  EXPECT_NE(FindOutput(unwanted_record->responses()[0], "OUTPUT1"), nullptr);
}

TEST_F(Identity, UndoesTheReshape) {
  ASSERT_TRUE(Load(Config(R"(
    input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } }
    output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } })"))
                  .ok());
  auto request = Request();
  request.Input<float>("INPUT0", DataType::kFp32, {2}, {1, 2});
  auto record = request.record();
  ASSERT_TRUE(Execute({&request}).ok());
  EXPECT_EQ(record->responses()[0].outputs[0].shape, (Shape{2, 1}));
}

TEST_F(Identity, WaitsAsLongAsItIsToldTimesTheInstance) {
  const std::string delays = R"(parameters { key: "execute_delay_ms" value { string_value: "15" } }
    parameters { key: "instance_wise_delay_multiplier" value { string_value: "2" } })";
  for (const auto& [index, at_least] : {std::pair{0, 15}, {1, 30}}) {
    ASSERT_TRUE(Load(Config(kTwoTensors + delays), index).ok());
    auto request = Request();
    request.Input<float>("INPUT0", DataType::kFp32, {1, 1}, {1});
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(Execute({&request}).ok());
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(at_least));
  }
}

struct BadConfig {
  std::string name;
  std::string config;
  std::string message;
};

void PrintTo(const BadConfig& row, std::ostream* out) { *out << row.name; }

class IdentityRefuses : public BackendTest, public ::testing::WithParamInterface<BadConfig> {};

TEST_P(IdentityRefuses, AConfigurationItCannotServe) {
  const absl::Status status = Load(Config(GetParam().config));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Message(status).find(GetParam().message), std::string_view::npos) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Configs, IdentityRefuses,
    ::testing::Values(
        BadConfig{"other_name", R"(input { name: "X" data_type: TYPE_FP32 dims: [ 1 ] }
                   output { name: "Y" data_type: TYPE_FP32 dims: [ 1 ] })",
                  "output 'Y' must be named OUTPUT<n>"},
        BadConfig{"no_partner", R"(input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
                   output { name: "OUTPUT1" data_type: TYPE_FP32 dims: [ 1 ] })",
                  "output 'OUTPUT1' needs an input 'INPUT1'"},
        BadConfig{"other_type", R"(input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
                   output { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 1 ] })",
                  "'INPUT0' is TYPE_FP32 [1], but 'OUTPUT0' is TYPE_INT32 [1]"},
        BadConfig{"bad_delay", R"(input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
                   output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
                   parameters { key: "execute_delay_ms" value { string_value: "-1" } })",
                  "parameter 'execute_delay_ms' must be a number from 0"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace nereid
