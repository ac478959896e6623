#include "wire/kserve_protobuf_request.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/strings.h"
#include "proto/grpc_service.pb.h"
#include "support/fake_sink.h"
#include "support/segmented_payload.h"

namespace nereid {
namespace {

using testing::BytesOf;
using testing::FakeSink;
using testing::OnePiece;
using testing::SegmentedPayload;
using testing::SinkRecord;

// A request decoded from the message that `text` says; `status` is the first failure.
struct Decoded {
  std::unique_ptr<InferRequest> request =
      std::make_unique<InferRequest>(std::make_unique<FakeSink>(std::make_shared<SinkRecord>()));
  absl::Status status;
};

Decoded DecodeBytes(const Payload& bytes) {
  Decoded decoded;
  InferMessage message;
  decoded.status = ParseInferMessage(bytes, message);
  if (decoded.status.ok()) decoded.status = AddRequestParameters(message, *decoded.request);
  if (decoded.status.ok()) decoded.status = AddTensors(message, *decoded.request);
  return decoded;
}

Decoded Decode(const inference::ModelInferRequest& message) {
  return DecodeBytes(OnePiece(message.SerializeAsString()));
}

inference::ModelInferRequest FromText(const std::string& text) {
  inference::ModelInferRequest message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("model_name: 'm' " + text, &message));
  return message;
}

template <typename T>
std::string Raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST(AddRequestParameters, AppliesWhatTheProtocolKnows) {
  const Decoded decoded = Decode(FromText(R"(
    id: "r7"
    parameters { key: "sequence_id" value { int64_param: 42 } }
    parameters { key: "sequence_start" value { bool_param: true } }
    parameters { key: "sequence_end" value { bool_param: true } }
    parameters { key: "priority" value { uint64_param: 3 } }
    parameters { key: "timeout" value { int64_param: 1500 } }
    parameters { key: "triton_enable_empty_final_response" value { bool_param: true } })"));
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  const InferRequest& request = *decoded.request;
  EXPECT_EQ(request.id, "r7");
  EXPECT_EQ(std::get<uint64_t>(request.correlation_id), 42u);
  EXPECT_TRUE(request.sequence.start);
  EXPECT_TRUE(request.sequence.end);
  EXPECT_EQ(request.priority, 3u);
  EXPECT_EQ(request.timeout, std::chrono::microseconds(1500));
  EXPECT_TRUE(request.parameters.empty());
}

TEST(AddRequestParameters, HandsTheOthersToTheModel) {
  const Decoded decoded = Decode(FromText(R"(
    parameters { key: "flag" value { bool_param: true } }
    parameters { key: "number" value { int64_param: -5 } }
    parameters { key: "text" value { string_param: "x" } }
    parameters { key: "real" value { double_param: 0.5 } }
    parameters { key: "binary_data_output" value { bool_param: true } })"));
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  const Parameters& parameters = decoded.request->parameters;
  ASSERT_EQ(parameters.size(), 5u);
  EXPECT_EQ(*FindParameter(parameters, "flag"), ParameterValue(true));
  EXPECT_EQ(*FindParameter(parameters, "number"), ParameterValue(int64_t{-5}));
  EXPECT_EQ(*FindParameter(parameters, "text"), ParameterValue(std::string("x")));
  EXPECT_EQ(*FindParameter(parameters, "real"), ParameterValue(0.5));
}

TEST(AddRequestParameters, AcceptsSequenceIdsOfText) {
  const Decoded decoded =
      Decode(FromText("parameters { key: 'sequence_id' value { string_param: 'abc' } }"));
  ASSERT_TRUE(decoded.status.ok());
  EXPECT_EQ(std::get<std::string>(decoded.request->correlation_id), "abc");
}

struct Refusal {
  std::string text;      // of the message
  std::string expected;  // of the status
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

void ExpectRefused(const Refusal& refusal) {
  const Decoded decoded = Decode(FromText(refusal.text));
  EXPECT_EQ(decoded.status.code(), refusal.code) << refusal.text;
  EXPECT_EQ(Message(decoded.status), refusal.expected) << refusal.text;
}

std::string ParameterText(const std::string& key, const std::string& value) {
  return "parameters { key: '" + key + "' value { " + value + " } }";
}

TEST(AddRequestParameters, RefusesWrongTypesAndValues) {
  const Refusal kCases[] = {
      {ParameterText("sequence_id", "bool_param: true"),
       "invalid value type for 'sequence_id' parameter, expected int64_param or string_param."},
      {ParameterText("sequence_id", "string_param: '" + std::string(129, 'x') + "'"),
       "string correlation ID cannot be longer than 128 characters",
       absl::StatusCode::kUnimplemented},
      {ParameterText("sequence_start", "int64_param: 1"),
       "invalid value type for 'sequence_start' parameter, expected bool_param."},
      {ParameterText("sequence_end", "int64_param: 1"),
       "invalid value type for 'sequence_end' parameter, expected bool_param."},
      {ParameterText("priority", "string_param: '1'"),
       "invalid value type for 'priority' parameter, expected int64_param or uint64_param."},
      {ParameterText("priority", "int64_param: -1"),
       "invalid value for 'priority', expected value >= 0."},
      {ParameterText("timeout", "uint64_param: 1"),
       "invalid value type for 'timeout' parameter, expected int64_param."},
      {ParameterText("triton_enable_empty_final_response", "int64_param: 1"),
       "invalid value type for 'triton_enable_empty_final_response' parameter, expected "
       "bool_param."},
      {ParameterText("triton_x", "bool_param: true"),
       "parameter keys starting with 'triton_' are reserved for Triton usage. Only the following "
       "keys starting with 'triton_' are allowed: triton_enable_empty_final_response"},
      {ParameterText("mine", "uint64_param: 1"),
       "invalid value type for 'mine' parameter, expected int64_param, bool_param, or "
       "string_param."},
      {ParameterText("mine", ""),
       "invalid value type for 'mine' parameter, expected int64_param, bool_param, or "
       "string_param."},
  };
  for (const Refusal& refusal : kCases) ExpectRefused(refusal);
}

TEST(AddRequestParameters, RefusesNamesThatOccurTwice) {
  ExpectRefused({"id: 'r' inputs { name: 'A' } inputs { name: 'B' } inputs { name: 'A' }",
                 "[request id: r] input 'A' already exists in request"});
  ExpectRefused({"outputs { name: 'A' } outputs { name: 'A' }",
                 "[request id: <id_unknown>] output 'A' already exists in request"});
}

TEST(AddTensors, GivesRawDataToInputsInOrder) {
  inference::ModelInferRequest message = FromText(
      "inputs { name: 'A' datatype: 'FP32' shape: 1 shape: 2 } inputs { name: 'B' datatype: 'INT8' "
      "shape: 0 } outputs { name: 'X' }");
  message.add_raw_input_contents(Raw<float>({1, 2}));
  message.add_raw_input_contents("");
  message.add_raw_input_contents("surplus");
  const Decoded decoded = Decode(message);
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  const InferRequest& request = *decoded.request;
  ASSERT_EQ(request.inputs.size(), 2u);
  EXPECT_EQ(request.inputs[0].name, "A");
  EXPECT_EQ(request.inputs[0].data_type, DataType::kFp32);
  EXPECT_EQ(request.inputs[0].shape, Shape({1, 2}));
  EXPECT_EQ(BytesOf(request.inputs[0].data), Raw<float>({1, 2}));
  EXPECT_EQ(request.inputs[1].data.byte_size(), 0u);
  ASSERT_EQ(request.requested_outputs.size(), 1u);
  EXPECT_EQ(request.requested_outputs[0].name, "X");
}

TEST(AddTensors, TreatsUnknownDatatypesAsInvalid) {
  inference::ModelInferRequest message = FromText("inputs { name: 'A' datatype: 'fp32' }");
  message.add_raw_input_contents("");
  EXPECT_EQ(Decode(message).request->inputs[0].data_type, DataType::kInvalid);
}

// Bytes of the only input, which has the given typed contents.
std::string Converted(const std::string& datatype, const std::string& contents) {
  const Decoded decoded = Decode(
      FromText("inputs { name: 'A' datatype: '" + datatype + "' contents { " + contents + " } }"));
  EXPECT_TRUE(decoded.status.ok()) << decoded.status;
  return decoded.status.ok() ? BytesOf(decoded.request->inputs[0].data) : "";
}

TEST(AddTensors, ConvertsTypedContentsOfEveryType) {
  EXPECT_EQ(Converted("BOOL", "bool_contents: [true, false]"), Raw<uint8_t>({1, 0}));
  EXPECT_EQ(Converted("INT8", "int_contents: [-128, 127]"), Raw<int8_t>({-128, 127}));
  EXPECT_EQ(Converted("INT16", "int_contents: [-32768, 32767]"), Raw<int16_t>({-32768, 32767}));
  EXPECT_EQ(Converted("INT32", "int_contents: [-2147483648, 7]"),
            Raw<int32_t>({-2147483647 - 1, 7}));
  EXPECT_EQ(Converted("INT64", "int64_contents: [-9, 1099511627776]"),
            Raw<int64_t>({-9, 1099511627776}));
  EXPECT_EQ(Converted("UINT8", "uint_contents: [0, 255]"), Raw<uint8_t>({0, 255}));
  EXPECT_EQ(Converted("UINT16", "uint_contents: [0, 65535]"), Raw<uint16_t>({0, 65535}));
  EXPECT_EQ(Converted("UINT32", "uint_contents: [4294967295]"), Raw<uint32_t>({4294967295u}));
  EXPECT_EQ(Converted("UINT64", "uint64_contents: [18446744073709551615]"),
            Raw<uint64_t>({~uint64_t{0}}));
  EXPECT_EQ(Converted("FP32", "fp32_contents: [1.5, -2]"), Raw<float>({1.5, -2}));
  EXPECT_EQ(Converted("FP64", "fp64_contents: [1.5, -2]"), Raw<double>({1.5, -2}));
  EXPECT_EQ(Converted("BYTES", "bytes_contents: ['ab', '']"),
            Raw<uint32_t>({2}) + "ab" + Raw<uint32_t>({0}));
  EXPECT_EQ(Converted("FP32", ""), "");
}

TEST(AddTensors, LeavesFloatsOfOneRunWhereTheyArrived) {
  inference::ModelInferRequest message = FromText("inputs { name: 'A' datatype: 'FP32' }");
  for (int i = 0; i < 100; ++i) {
    message.mutable_inputs(0)->mutable_contents()->add_fp32_contents(static_cast<float>(i));
  }
  const Payload bytes = OnePiece(message.SerializeAsString());
  const Decoded decoded = DecodeBytes(bytes);
  ASSERT_TRUE(decoded.status.ok());
  const std::byte* data = decoded.request->inputs[0].data.data();
  EXPECT_GE(data, bytes.data());
  EXPECT_LE(data + 400, bytes.data() + bytes.byte_size());
}

std::string PutString(uint32_t number, const std::string& value) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(value.size()) +
         value;
}

// Old writers send numbers one by one, and a message may come in several parts.
TEST(AddTensors, JoinsScatteredContents) {
  const std::string one = std::string("\x35", 1) + Raw<float>({1});  // fp32_contents, not packed
  const std::string two = PutString(6, Raw<float>({2, 3}));
  const std::string input = PutString(1, "A") + PutString(2, "FP32") + PutString(5, one + two) +
                            PutString(5, PutString(6, Raw<float>({4})));
  const Decoded decoded = DecodeBytes(SegmentedPayload(PutString(5, input), [] { return 3; }));
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_EQ(BytesOf(decoded.request->inputs[0].data), Raw<float>({1, 2, 3, 4}));

  const std::string ints = std::string("\x10\x07", 2) + PutString(2, "\x08\x09");
  const std::string whole = PutString(1, "A") + PutString(2, "INT16") + PutString(5, ints);
  const Decoded integers = DecodeBytes(OnePiece(PutString(5, whole)));
  ASSERT_TRUE(integers.status.ok()) << integers.status;
  EXPECT_EQ(BytesOf(integers.request->inputs[0].data), Raw<int16_t>({7, 8, 9}));
}

TEST(AddTensors, RefusesContentsThatDoNotFitTheDatatype) {
  const auto input = [](const std::string& type, const std::string& contents) {
    return "inputs { name: 'A' datatype: '" + type + "' contents { " + contents + " } }";
  };
  const auto out_of_range = [](const std::string& value, const std::string& type) {
    return "value " + value + " is out of range for datatype " + type + " of input 'A'";
  };
  const std::string subject = "unexpected explicit tensor data for input tensor 'A' for model 'm'";
  const Refusal kCases[] = {
      {input("INT8", "int_contents: [1, 128]"), out_of_range("128", "INT8")},
      {input("INT16", "int_contents: [-32769]"), out_of_range("-32769", "INT16")},
      {input("UINT8", "uint_contents: [256]"), out_of_range("256", "UINT8")},
      {input("UINT16", "uint_contents: [65536]"), out_of_range("65536", "UINT16")},
      {input("FP32", "int_contents: [1]"), subject + " of type 'INT32', expected datatype 'FP32'"},
      {input("FP16", "fp32_contents: [1]"), subject + " of type 'FP32', expected datatype 'FP16'"},
      {input("INT64", "uint64_contents: [1]"),
       subject + " of type 'UINT64', expected datatype 'INT64'"},
      {input("nonsense", "bool_contents: [true]"),
       subject + " of type 'BOOL', expected datatype '<invalid>'"},
      {input("INT32", "int_contents: [1] bytes_contents: 'x'"),
       subject + ", binary data was already supplied."},
  };
  for (const Refusal& refusal : kCases) ExpectRefused(refusal);
}

TEST(AddTensors, RefusesInputsWithoutOrWithTwoSources) {
  const std::string shared =
      "parameters { key: 'shared_memory_region' value { string_param: 'r' } } "
      "parameters { key: 'shared_memory_byte_size' value { int64_param: 4 } }";
  const Refusal kCases[] = {
      {"inputs { name: 'A' }",
       "unable to find data for input tensor 'A' for model 'm' in request."},
      {"raw_input_contents: 'x' inputs { name: 'A' contents { bool_contents: true } }",
       "contents field must not be specified when using raw_input_contents for 'A' for model 'm'"},
      {"inputs { name: 'A' contents { } " + shared + " }",
       "unexpected 'content' provided when using shared memory for input tensor 'A' for model 'm'"},
      {"inputs { name: 'A' " + shared + " }", "Unable to find shared memory region: 'r'",
       absl::StatusCode::kNotFound},
      {"outputs { name: 'X' " + shared + " }", "Unable to find shared memory region: 'r'",
       absl::StatusCode::kNotFound},
      {"outputs { name: 'X' " + shared +
           " parameters { key: 'classification' value { int64_param: 1 } } }",
       "output can't set both 'shared_memory_region' and 'classification'"},
  };
  for (const Refusal& refusal : kCases) ExpectRefused(refusal);
}

TEST(AddTensors, RefusesIncompleteSharedMemoryParameters) {
  const auto input = [](const std::string& key, const std::string& value) {
    return "inputs { name: 'A' " + ParameterText(key, value) + " }";
  };
  const Refusal kCases[] = {
      {input("shared_memory_region", "int64_param: 1"),
       "invalid value type for 'shared_memory_region' parameter for tensor 'A', expected "
       "string_param."},
      {input("shared_memory_offset", "string_param: '1'"),
       "invalid value type for 'shared_memory_offset' parameter for tensor 'A', expected "
       "int64_param."},
      {input("shared_memory_byte_size", "int64_param: 1"),
       "'shared_memory_byte_size' can not be specified without 'shared_memory_region' parameter "
       "for tensor 'A'"},
      {input("shared_memory_region", "string_param: 'r'"),
       "'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter "
       "for tensor 'A'"},
  };
  for (const Refusal& refusal : kCases) ExpectRefused(refusal);
}

TEST(AddTensors, ReadsClassification) {
  const auto output = [](const std::string& value) {
    return "outputs { name: 'X' " + ParameterText("classification", value) + " }";
  };
  const Decoded decoded = Decode(FromText(output("int64_param: 5")));
  ASSERT_TRUE(decoded.status.ok());
  EXPECT_EQ(decoded.request->requested_outputs[0].classification_count, 5u);
  ExpectRefused({output("bool_param: true"),
                 "invalid value type for 'classification' parameter, expected int64_param"});
  ExpectRefused(
      {output("int64_param: -1"), "invalid value for 'classification' parameter, expected >= 0"});
}

}  // namespace
}  // namespace nereid
