#include "wire/kserve_protobuf_response.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "common/strings.h"
#include "proto/grpc_service.pb.h"
#include "support/segmented_payload.h"

namespace nereid {
namespace {

using testing::BytesOf;
using testing::OnePiece;
using testing::SegmentedPayload;

TensorSpec Spec(std::string name) {
  TensorSpec spec;
  spec.name = std::move(name);
  return spec;
}

std::string Flatten(const OutgoingMessage& message) {
  std::string bytes;
  size_t sent = 0;
  for (const OutgoingMessage::Insert& insert : message.inserts) {
    bytes += message.text.substr(sent, insert.offset - sent) + BytesOf(insert.data);
    sent = insert.offset;
  }
  return bytes + message.text.substr(sent);
}

inference::ModelInferResponse Parse(const absl::StatusOr<OutgoingMessage>& message) {
  inference::ModelInferResponse parsed;
  EXPECT_TRUE(message.ok()) << message.status();
  if (message.ok()) {
    EXPECT_EQ(Flatten(*message).size(), message->byte_size());
    EXPECT_TRUE(parsed.ParseFromString(Flatten(*message)));
  }
  return parsed;
}

TEST(EncodeInferResponse, WritesWhatTheLibraryReads) {
  const TensorSpec a = Spec("OUTPUT0"), b = Spec("OUTPUT1");
  InferResponse response;
  response.outputs.push_back({&a, DataType::kFp32, {2, 1}, OnePiece("12345678")});
  response.outputs.push_back({&b, DataType::kBytes, {0}, Payload()});
  response.parameters = {{"b", true}, {"i", int64_t{-1}},         {"u", uint64_t{1} << 63},
                         {"d", 0.25}, {"s", std::string("text")}, {"", std::string()}};
  const auto parsed = Parse(EncodeInferResponse({"model", "12", "id"}, response));
  EXPECT_EQ(parsed.model_name(), "model");
  EXPECT_EQ(parsed.model_version(), "12");
  EXPECT_EQ(parsed.id(), "id");
  ASSERT_EQ(parsed.parameters_size(), 6);
  EXPECT_TRUE(parsed.parameters().at("b").bool_param());
  EXPECT_EQ(parsed.parameters().at("i").int64_param(), -1);
  EXPECT_EQ(parsed.parameters().at("u").uint64_param(), uint64_t{1} << 63);
  EXPECT_EQ(parsed.parameters().at("d").double_param(), 0.25);
  EXPECT_EQ(parsed.parameters().at("s").string_param(), "text");
  EXPECT_TRUE(parsed.parameters().at("").has_string_param());
  ASSERT_EQ(parsed.outputs_size(), 2);
  EXPECT_EQ(parsed.outputs(0).name(), "OUTPUT0");
  EXPECT_EQ(parsed.outputs(0).datatype(), "FP32");
  EXPECT_EQ(
      std::vector<int64_t>(parsed.outputs(0).shape().begin(), parsed.outputs(0).shape().end()),
      (std::vector<int64_t>{2, 1}));
  EXPECT_FALSE(parsed.outputs(0).has_contents());
  EXPECT_EQ(parsed.outputs(1).datatype(), "BYTES");
  EXPECT_EQ(parsed.outputs(1).shape_size(), 1);
  ASSERT_EQ(parsed.raw_output_contents_size(), 2);
  EXPECT_EQ(parsed.raw_output_contents(0), "12345678");
  EXPECT_EQ(parsed.raw_output_contents(1), "");
}

TEST(EncodeInferResponse, WritesScalarsAndLargeShapes) {
  const TensorSpec spec = Spec("O");
  InferResponse response;
  response.outputs.push_back({&spec, DataType::kInt8, {}, OnePiece("1")});
  response.outputs.push_back({&spec, DataType::kInt8, {int64_t{1} << 40, 0, 300}, Payload()});
  const auto parsed = Parse(EncodeInferResponse({"m", "1", ""}, response));
  EXPECT_EQ(parsed.outputs(0).shape_size(), 0);
  ASSERT_EQ(parsed.outputs(1).shape_size(), 3);
  EXPECT_EQ(parsed.outputs(1).shape(0), int64_t{1} << 40);
  EXPECT_EQ(parsed.outputs(1).shape(2), 300);
}

TEST(EncodeInferResponse, RefersToLargeOutputsAndCopiesSmallOnes) {
  const TensorSpec spec = Spec("O");
  const Payload large = SegmentedPayload(std::string(100000, 'x'), [] { return 30000; });
  InferResponse response;
  response.outputs.push_back({&spec, DataType::kUint8, {8}, OnePiece("12345678")});
  response.outputs.push_back({&spec, DataType::kUint8, {100000}, large});
  response.outputs.push_back({&spec, DataType::kUint8, {8}, OnePiece("87654321")});
  const auto message = EncodeInferResponse({"m", "1", ""}, response);
  const auto parsed = Parse(message);
  ASSERT_EQ(message->inserts.size(), 1u);
  EXPECT_EQ(message->inserts[0].data.segments()[0].data(), large.segments()[0].data());
  EXPECT_LT(message->text.size(), 300u);
  EXPECT_EQ(parsed.raw_output_contents(0), "12345678");
  EXPECT_EQ(parsed.raw_output_contents(1), std::string(100000, 'x'));
  EXPECT_EQ(parsed.raw_output_contents(2), "87654321");
}

TEST(EncodeInferResponse, RefusesWhatGrpcCannotCarry) {
  const TensorSpec spec = Spec("O");
  // Never read: the size alone decides.
  static std::byte byte;
  const Payload huge(nullptr, &byte, size_t{1} << 31);
  InferResponse response;
  response.outputs.push_back({&spec, DataType::kUint8, {int64_t{1} << 31}, huge});
  const auto message = EncodeInferResponse({"m", "1", ""}, response);
  EXPECT_EQ(message.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Message(message.status()).starts_with("Response has byte size 2147483"))
      << message.status();
  EXPECT_TRUE(
      Message(message.status()).ends_with(" which exceeds gRPC's byte size limit 2147483647."));
}

TEST(EncodeInferResponse, RefusesDeviceMemory) {
  const TensorSpec spec = Spec("O");
  static std::byte byte;
  InferResponse response;
  response.outputs.push_back(
      {&spec, DataType::kUint8, {1}, Payload(nullptr, &byte, 1, {MemoryKind::kGpu, 0})});
  EXPECT_EQ(EncodeInferResponse({"m", "1", ""}, response).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace nereid
