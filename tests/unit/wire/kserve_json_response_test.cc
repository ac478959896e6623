#include "wire/kserve_json_response.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/strings.h"
#include "support/config_text.h"
#include "support/tensor_bytes.h"
#include "wire/json_tensor_writer.h"

namespace nereid {
namespace {

using std::string_literals::operator""s;
using testing::BytesOf;
using testing::ConfigFromText;
using testing::PayloadOf;
using testing::StringOf;

class KserveJsonResponseTest : public ::testing::Test {
 protected:
  OutputTensor Output(std::string_view name, DataType type, Shape shape, std::string_view bytes,
                      size_t piece = SIZE_MAX) {
    return {config_->FindOutput(name), type, std::move(shape), PayloadOf(bytes, piece)};
  }
  absl::StatusOr<JsonInferResponse> Encode(InferResponse response, std::string_view id = {}) {
    return EncodeJsonResponse({id, config_.get(), 3}, format_, response);
  }
  // The JSON array of a tensor of that type.
  absl::StatusOr<std::string> Array(DataType type, Shape shape, std::string_view bytes,
                                    size_t piece = SIZE_MAX) {
    std::string out;
    absl::Status status =
        AppendJsonTensor(Output("OUT", type, std::move(shape), bytes, piece), &out);
    if (!status.ok()) return status;
    return out;
  }

  std::shared_ptr<const ModelConfig> config_ = ConfigFromText(R"(
    name: "m"
    max_batch_size: 8
    output { name: "OUT" data_type: TYPE_FP32 dims: 2 }
    output { name: "OUT2" data_type: TYPE_FP32 dims: 2 })");
  OutputFormat format_;
};

TEST_F(KserveJsonResponseTest, EveryPartOfAResponse) {
  InferResponse response;
  response.outputs.push_back(Output("OUT", DataType::kInt32, {1, 2}, BytesOf<int32_t>({-1, 2})));
  response.parameters = {{"s", "a\"b"s}, {"b", true}, {"i", int64_t{-3}}, {"d", 0.5}};
  const auto body = Encode(std::move(response), "id 1");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(body->json,
            R"({"id":"id 1","model_name":"m","model_version":"3",)"
            R"("parameters":{"s":"a\"b","b":true,"i":-3,"d":0.5},)"
            R"("outputs":[{"name":"OUT","datatype":"INT32","shape":[1,2],"data":[-1,2]}]})");
  EXPECT_EQ(body->binary_size, 0u);
}

TEST_F(KserveJsonResponseTest, WithoutIdParametersAndOutputs) {
  const auto body = Encode({});
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(body->json, R"({"model_name":"m","model_version":"3","outputs":[]})");
}

TEST_F(KserveJsonResponseTest, BinaryOutputsStayWhereTheyAre) {
  format_.entries.push_back({config_->FindOutput("OUT"), true, 0});
  format_.entries.push_back({config_->FindOutput("OUT2"), false, 0});
  InferResponse response;
  response.outputs.push_back(Output("OUT2", DataType::kUint8, {2}, "\1\2"));
  response.outputs.push_back(Output("OUT", DataType::kFp16, {2}, "abcd", 3));
  const auto* segment = response.outputs[1].data.segments()[1].data();
  const auto body = Encode(std::move(response));
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(
      body->json,
      R"({"model_name":"m","model_version":"3","outputs":[)"
      R"({"name":"OUT2","datatype":"UINT8","shape":[2],"data":[1,2]},)"
      R"({"name":"OUT","datatype":"FP16","shape":[2],"parameters":{"binary_data_size":4}}]})");
  ASSERT_EQ(body->binary.size(), 1u);
  EXPECT_EQ(body->binary[0].segments()[1].data(), segment);
  EXPECT_EQ(body->binary_size, 4u);
}

TEST_F(KserveJsonResponseTest, EmptyBinaryOutputsAreAnnounced) {
  format_.binary_by_default = true;
  InferResponse response;
  response.outputs.push_back(Output("OUT", DataType::kFp32, {0}, ""));
  const auto body = Encode(std::move(response));
  ASSERT_TRUE(body.ok());
  EXPECT_NE(body->json.find(R"("shape":[0],"parameters":{"binary_data_size":0}})"),
            std::string::npos);
  EXPECT_EQ(body->binary_size, 0u);
}

TEST_F(KserveJsonResponseTest, ClassifiedOutputs) {
  format_.entries.push_back({config_->FindOutput("OUT"), false, 1});
  format_.entries.push_back({config_->FindOutput("OUT2"), true, 1});
  InferResponse response;
  response.outputs.push_back(Output("OUT", DataType::kFp32, {2, 2}, BytesOf<float>({1, 2, 4, 3})));
  response.outputs.push_back(Output("OUT2", DataType::kInt8, {1, 2}, BytesOf<int8_t>({1, 2})));
  const auto body = Encode(std::move(response));
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_NE(body->json.find(R"({"name":"OUT","datatype":"BYTES","shape":[2,1],)"
                            R"("data":["2.000000:1","4.000000:0"]})"),
            std::string::npos)
      << body->json;
  EXPECT_EQ(StringOf(body->binary[0]), BytesOf({"2:1"s}));
}

TEST_F(KserveJsonResponseTest, NumberOfBytesThatBecomeText) {
  format_.entries.push_back({config_->FindOutput("OUT"), true, 0});
  format_.entries.push_back({config_->FindOutput("OUT2"), true, 5});
  InferResponse response;
  response.outputs.push_back(Output("OUT", DataType::kUint8, {5}, "12345"));
  response.outputs.push_back(Output("OUT2", DataType::kUint8, {3}, "123"));
  EXPECT_EQ(BytesToConvert(format_, response), 3u);
}

TEST_F(KserveJsonResponseTest, EveryTypeWithAJsonForm) {
  struct Case {
    DataType type;
    std::string bytes;
    const char* array;
  };
  const Case cases[] = {
      {DataType::kBool, "\0\1"s, "[false,true]"},
      {DataType::kUint8, BytesOf<uint8_t>({0, 255}), "[0,255]"},
      {DataType::kUint16, BytesOf<uint16_t>({0, 65535}), "[0,65535]"},
      {DataType::kUint32, BytesOf<uint32_t>({0, UINT32_MAX}), "[0,4294967295]"},
      {DataType::kUint64, BytesOf<uint64_t>({0, UINT64_MAX}), "[0,18446744073709551615]"},
      {DataType::kInt8, BytesOf<int8_t>({-128, 127}), "[-128,127]"},
      {DataType::kInt16, BytesOf<int16_t>({INT16_MIN, INT16_MAX}), "[-32768,32767]"},
      {DataType::kInt32, BytesOf<int32_t>({INT32_MIN, INT32_MAX}), "[-2147483648,2147483647]"},
      {DataType::kInt64, BytesOf<int64_t>({INT64_MIN, INT64_MAX}),
       "[-9223372036854775808,9223372036854775807]"},
      {DataType::kFp32, BytesOf<float>({1.0f, 0.1f}), "[1.0,0.10000000149011612]"},
      {DataType::kFp64, BytesOf<double>({-0.1, 1e100}), "[-0.1,1e100]"},
      {DataType::kBytes, BytesOf({""s, "\"\\\n\1\x7f\xff/"s}),
       "[\"\",\"\\\"\\\\\\n\\u0001\x7f\xff/\"]"},
  };
  for (const Case& c : cases) {
    for (size_t piece : {SIZE_MAX, size_t{3}}) {
      const auto array = Array(c.type, {2}, c.bytes, piece);
      ASSERT_TRUE(array.ok()) << array.status();
      EXPECT_EQ(*array, c.array);
    }
  }
}

TEST_F(KserveJsonResponseTest, TypesWithoutAJsonForm) {
  for (DataType type : {DataType::kFp16, DataType::kBf16}) {
    EXPECT_EQ(
        Array(type, {1}, "ab").status(),
        absl::InvalidArgumentError(StrCat(
            "sending ", ProtocolName(type),
            " data via JSON is not supported. Please use the binary data format for output")));
  }
}

TEST_F(KserveJsonResponseTest, DataThatDoesNotFitTheShape) {
  const absl::Status mismatch = absl::InternalError(
      "Failed to write 'data' field: output tensor shape does not match size of output for 'OUT'");
  const absl::Status past_end =
      absl::InternalError("output tensor shape does not match size of output for 'OUT'");
  EXPECT_EQ(Array(DataType::kFp32, {2}, "1234").status(), mismatch);
  EXPECT_EQ(Array(DataType::kBytes, {1}, BytesOf({"a"s, "b"s})).status(), mismatch);
  EXPECT_EQ(Array(DataType::kBytes, {2}, BytesOf({"a"s})).status(), past_end);
  EXPECT_EQ(Array(DataType::kBytes, {1}, "\7\0\0\0abc"s).status(), past_end);
  EXPECT_EQ(Array(DataType::kBytes, {1}, "\7\0"s).status(), past_end);
}

TEST_F(KserveJsonResponseTest, LongTensorsAreWrittenWhole) {
  std::vector<int64_t> values;
  std::string expected = "[";
  for (int i = 0; i < 5000; ++i) {
    values.push_back(INT64_MIN + i);
    StrAppend(&expected, i > 0 ? "," : "", values.back());
  }
  const auto array = Array(DataType::kInt64, {5000}, BytesOf(values));
  ASSERT_TRUE(array.ok());
  EXPECT_EQ(*array, expected + "]");
}

TEST(JsonDouble, ShortestFormThatReadsBack) {
  struct Case {
    double value;
    const char* text;
  };
  const Case cases[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1, "1.0"},
      {-100000, "-100000.0"},
      {0.5, "0.5"},
      {123.456, "123.456"},
      {1e15, "1000000000000000.0"},
      {1e20, "100000000000000000000.0"},
      {1e21, "1e21"},
      {1.5e300, "1.5e300"},
      {1e-6, "0.000001"},
      {1.25e-7, "1.25e-7"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e308"},
      {123456789012345680.0, "123456789012345680.0"},
      {INFINITY, "Infinity"},
      {-INFINITY, "-Infinity"},
  };
  for (const Case& c : cases) {
    std::string text;
    AppendJsonDouble(c.value, &text);
    EXPECT_EQ(text, c.text);
    EXPECT_EQ(std::strtod(text.c_str(), nullptr), c.value);
  }
  std::string text;
  AppendJsonDouble(std::numeric_limits<double>::quiet_NaN(), &text);
  AppendJsonDouble(-std::numeric_limits<double>::quiet_NaN(), &text);
  EXPECT_EQ(text, "NaNNaN");
}

TEST(JsonErrorBody, EscapesTheMessage) {
  EXPECT_EQ(JsonError("a \"b\"\n"), "{\"error\":\"a \\\"b\\\"\\n\"}");
}

}  // namespace
}  // namespace nereid
