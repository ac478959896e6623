#include "wire/kserve_json_request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/strings.h"
#include "support/config_text.h"
#include "support/fake_sink.h"
#include "support/tensor_bytes.h"

namespace nereid {
namespace {

using std::string_literals::operator""s;
using testing::BytesOf;
using testing::ConfigFromText;
using testing::FakeSink;
using testing::SinkRecord;
using testing::StringOf;

constexpr char kConfig[] = R"(
  name: "m"
  input { name: "IN" data_type: TYPE_FP32 dims: 4 }
  input { name: "IN2" data_type: TYPE_FP32 dims: 4 }
  output { name: "OUT" data_type: TYPE_FP32 dims: 4 }
  output { name: "OUT2" data_type: TYPE_FP32 dims: 4 })";

// In front of the text it makes the strict parser give up, so that the other one is tested.
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct Decoded {
  std::unique_ptr<InferRequest> request;
  OutputFormat format;
  absl::Status status;
  std::shared_ptr<const std::string> body;
};

class KserveJsonRequestTest : public ::testing::Test {
 protected:
  Decoded Decode(std::string json, std::string_view binary = {}, bool in_place = false) {
    if (in_place) json.insert(0, kByteOrderMark);
    const size_t json_size = json.size();
    return DecodeBody(json + std::string(binary), json_size, false);
  }

  Decoded DecodeBody(const std::string& bytes, size_t json_size, bool is_raw) {
    Decoded decoded;
    decoded.body = std::make_shared<const std::string>(bytes + std::string(kJsonPadding, '\0'));
    decoded.request =
        std::make_unique<InferRequest>(std::make_unique<FakeSink>(std::make_shared<SinkRecord>()));
    const JsonInferBody body{decoded.body, std::string_view(*decoded.body).substr(0, bytes.size()),
                             json_size, is_raw};
    decoded.status = DecodeInferBody(body, config_, limits_, *decoded.request, decoded.format);
    return decoded;
  }

  // The status that both parsers agree on.
  absl::Status StatusOf(const std::string& json, std::string_view binary = {}) {
    const absl::Status strict = Decode(json, binary).status;
    EXPECT_EQ(strict, Decode(json, binary, true).status) << json.substr(0, 200);
    return strict;
  }

  // A request with one input, FP32 unless said otherwise.
  static std::string WithData(std::string_view data, std::string_view datatype = "FP32",
                              std::string_view shape = "[1]") {
    return StrCat(R"({"inputs":[{"name":"IN","datatype":")", datatype, R"(","shape":)", shape,
                  R"(,"data":)", data, "}]}");
  }
  static std::string WithMember(std::string_view members) {
    return StrCat("{", members, R"(,"inputs":[]})");
  }

  std::shared_ptr<const ModelConfig> config_ = ConfigFromText(kConfig);
  JsonInferLimits limits_;
};

TEST_F(KserveJsonRequestTest, ReadsEveryPartOfARequest) {
  for (bool in_place : {false, true}) {
    const Decoded decoded = Decode(R"({
      "outputs": [{"name":"OUT","parameters":{"binary_data":true,"classification":3}},
                  {"name":"OUT2"}],
      "inputs": [{"parameters":{"binary_data_size":8},"shape":[1,2],"datatype":"FP32","name":"IN"},
                 {"data":[[1,2],[3,4]],"name":"IN2","datatype":"INT32","shape":[2,2]}],
      "parameters": {"sequence_id":7,"sequence_start":true,"sequence_end":true,"priority":3,
                     "timeout":5000,"binary_data_output":true,"s":"text","i":-5,"b":false,"d":1.5,
                     "big":18446744073709551615},
      "id": "request \"1\"", "unknown": [1]})",
                                   "12345678", in_place);
    ASSERT_TRUE(decoded.status.ok()) << decoded.status;
    const InferRequest& request = *decoded.request;
    EXPECT_EQ(request.id, "request \"1\"");
    EXPECT_EQ(std::get<uint64_t>(request.correlation_id), 7u);
    EXPECT_TRUE(request.sequence.start);
    EXPECT_TRUE(request.sequence.end);
    EXPECT_EQ(request.priority, 3u);
    EXPECT_EQ(request.timeout, std::chrono::microseconds(5000));
    ASSERT_EQ(request.parameters.size(), 5u);
    EXPECT_EQ(std::get<std::string>(*FindParameter(request.parameters, "s")), "text");
    EXPECT_EQ(std::get<int64_t>(*FindParameter(request.parameters, "i")), -5);
    EXPECT_EQ(std::get<bool>(*FindParameter(request.parameters, "b")), false);
    EXPECT_EQ(std::get<double>(*FindParameter(request.parameters, "d")), 1.5);
    EXPECT_EQ(std::get<double>(*FindParameter(request.parameters, "big")), 18446744073709551616.0);

    ASSERT_EQ(request.inputs.size(), 2u);
    EXPECT_EQ(request.inputs[0].name, "IN");
    EXPECT_EQ(request.inputs[0].data_type, DataType::kFp32);
    EXPECT_EQ(request.inputs[0].shape, (Shape{1, 2}));
    EXPECT_EQ(StringOf(request.inputs[0].data), "12345678");
    EXPECT_EQ(request.inputs[1].shape, (Shape{2, 2}));
    EXPECT_EQ(StringOf(request.inputs[1].data), BytesOf<int32_t>({1, 2, 3, 4}));

    ASSERT_EQ(request.requested_outputs.size(), 2u);
    EXPECT_EQ(request.requested_outputs[0].name, "OUT");
    EXPECT_EQ(request.requested_outputs[0].classification_count, 3u);
    EXPECT_EQ(request.requested_outputs[1].classification_count, 0u);
    const auto out = decoded.format.Find(config_->FindOutput("OUT"));
    EXPECT_TRUE(out.is_binary);
    EXPECT_EQ(out.classification_count, 3u);
    EXPECT_FALSE(decoded.format.Find(config_->FindOutput("OUT2")).is_binary)
        << "binary_data_output is not for outputs that are listed";
  }
}

TEST_F(KserveJsonRequestTest, BinaryTensorsAreViewsIntoTheBody) {
  const Decoded decoded = Decode(
      R"({"inputs":[{"name":"IN","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}},
                    {"name":"IN2","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":0}}]})",
      "abcd");
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  const auto* begin = reinterpret_cast<const std::byte*>(decoded.body->data());
  EXPECT_EQ(decoded.request->inputs[0].data.data(),
            begin + decoded.body->size() - kJsonPadding - 4);
  EXPECT_EQ(decoded.request->inputs[0].data.owner(), decoded.body);
  EXPECT_EQ(decoded.request->inputs[1].data.byte_size(), 0u);
}

TEST_F(KserveJsonRequestTest, TheRequestKeepsItsBodyAndNamesAlive) {
  for (bool in_place : {false, true}) {
    Decoded decoded =
        Decode(R"({"inputs":[{"name":"N\u00e4me that is not the model's","datatype":"FP32",
                  "shape":[1],"parameters":{"binary_data_size":4}}],
                   "outputs":[{"name":"another one that is not"}]})",
               "abcd", in_place);
    ASSERT_TRUE(decoded.status.ok()) << decoded.status;
    decoded.body.reset();
    Decode(WithData("[\"overwrites what the parser holds\"]", "BYTES"), "", in_place);
    EXPECT_EQ(decoded.request->inputs[0].name, "N\xC3\xA4me that is not the model's");
    EXPECT_EQ(StringOf(decoded.request->inputs[0].data), "abcd");
    EXPECT_EQ(decoded.request->requested_outputs[0].name, "another one that is not");
    EXPECT_TRUE(decoded.format.entries.empty());
  }
}

struct TypeCase {
  const char* datatype;
  const char* data;
  std::string bytes;
};

std::vector<TypeCase> TypeCases() {
  return {
      {"BOOL", "[true,false]", BytesOf<bool>({true, false})},
      {"UINT8", "[0,255]", BytesOf<uint8_t>({0, 255})},
      {"UINT16", "[0,65535]", BytesOf<uint16_t>({0, 65535})},
      {"UINT32", "[0,4294967295]", BytesOf<uint32_t>({0, 4294967295u})},
      {"UINT64", "[0,18446744073709551615]", BytesOf<uint64_t>({0, UINT64_MAX})},
      {"INT8", "[-128,127]", BytesOf<int8_t>({-128, 127})},
      {"INT16", "[-32768,32767]", BytesOf<int16_t>({INT16_MIN, INT16_MAX})},
      {"INT32", "[-2147483648,2147483647]", BytesOf<int32_t>({INT32_MIN, INT32_MAX})},
      {"INT64", "[-9223372036854775808,9223372036854775807]",
       BytesOf<int64_t>({INT64_MIN, INT64_MAX})},
      {"FP32", "[1.5,-2]", BytesOf<float>({1.5f, -2.0f})},
      {"FP32", "[1e300,-1e300]", BytesOf<float>({INFINITY, -INFINITY})},
      {"FP64", "[0.1,18446744073709551615]", BytesOf<double>({0.1, 18446744073709551615.0})},
      {"FP64", "[12345678901234567890123,1e-400]", BytesOf<double>({12345678901234567890123.0, 0})},
      {"FP64", "[Infinity,-Inf]", BytesOf<double>({INFINITY, -INFINITY})},
      {"BYTES", R"(["","a\u0000\u00e9\n"])", BytesOf({""s, "a\0\xC3\xA9\n"s})},
      {"BYTES", "[\"\xff\xfe\",\"x\"]", BytesOf({"\xff\xfe"s, "x"s})},
  };
}

TEST_F(KserveJsonRequestTest, EveryTypeWithAJsonForm) {
  for (bool in_place : {false, true}) {
    for (const TypeCase& c : TypeCases()) {
      const Decoded decoded = Decode(WithData(c.data, c.datatype, "[2]"), "", in_place);
      ASSERT_TRUE(decoded.status.ok()) << c.datatype << decoded.status;
      EXPECT_EQ(decoded.request->inputs[0].data_type, DataTypeFromProtocolName(c.datatype));
      EXPECT_EQ(StringOf(decoded.request->inputs[0].data), c.bytes) << c.datatype << " " << c.data;
    }
  }
}

TEST_F(KserveJsonRequestTest, NaNIsANumber) {
  const Decoded decoded = Decode(WithData("[NaN]"));
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  float value;
  std::memcpy(&value, decoded.request->inputs[0].data.data(), sizeof(value));
  EXPECT_TRUE(std::isnan(value));
}

TEST_F(KserveJsonRequestTest, EveryTypeInBinary) {
  for (const char* datatype : {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16",
                               "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES", "BF16"}) {
    const Decoded decoded =
        Decode(StrCat(R"({"inputs":[{"name":"IN","datatype":")", datatype,
                      R"(","shape":[1],"parameters":{"binary_data_size":9}}]})"),
               "\1\2\3\4\5\6\7\x8\x9");
    ASSERT_TRUE(decoded.status.ok()) << decoded.status;
    EXPECT_EQ(ProtocolName(decoded.request->inputs[0].data_type), datatype);
    EXPECT_EQ(StringOf(decoded.request->inputs[0].data), "\1\2\3\4\5\6\7\x8\x9")
        << "bytes are for the model to check";
  }
}

TEST_F(KserveJsonRequestTest, NestingIsFlattened) {
  for (bool in_place : {false, true}) {
    const Decoded decoded =
        Decode(WithData("[[[1],2],[],[[3,4]]]", "UINT8", "[2,2]"), "", in_place);
    ASSERT_TRUE(decoded.status.ok()) << decoded.status;
    EXPECT_EQ(StringOf(decoded.request->inputs[0].data), "\1\2\3\4");
  }
}

TEST_F(KserveJsonRequestTest, ContentOfEmptyTensorsIsNotRead) {
  for (const char* shape : {"[0]", "[]", "[9223372036854775807,2,0]"}) {
    const Decoded decoded = Decode(WithData("[\"anything\",{}]", "FP32", shape));
    EXPECT_TRUE(decoded.status.ok()) << shape << decoded.status;
    EXPECT_EQ(decoded.request->inputs[0].data.byte_size(), 0u);
  }
}

TEST_F(KserveJsonRequestTest, OfEqualKeysTheFirstCounts) {
  for (bool in_place : {false, true}) {
    const Decoded decoded =
        Decode(R"({"id":"1","id":"2","parameters":{"a":1,"a":null,"priority":1,"priority":-1},
                   "inputs":[{"name":"IN","name":3,"datatype":"UINT8","shape":[1],"shape":null,
                   "data":[7],"data":[8]}],"inputs":4})",
               "", in_place);
    ASSERT_TRUE(decoded.status.ok()) << decoded.status;
    EXPECT_EQ(decoded.request->id, "1");
    EXPECT_EQ(decoded.request->parameters.size(), 1u);
    EXPECT_EQ(decoded.request->priority, 1u);
    EXPECT_EQ(StringOf(decoded.request->inputs[0].data), "\7");
  }
}

TEST_F(KserveJsonRequestTest, EmptyOutputListAsksForAll) {
  const Decoded decoded =
      Decode(R"({"inputs":[],"outputs":[],"parameters":{"binary_data_output":true}})");
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_TRUE(decoded.request->requested_outputs.empty());
  EXPECT_TRUE(decoded.format.Find(config_->FindOutput("OUT")).is_binary);
}

TEST_F(KserveJsonRequestTest, StringSequenceIds) {
  const Decoded decoded = Decode(WithMember(R"("parameters":{"sequence_id":"abc"})"));
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_EQ(std::get<std::string>(decoded.request->correlation_id), "abc");
}

TEST_F(KserveJsonRequestTest, HugeTimeoutsDoNotWrap) {
  const Decoded decoded = Decode(WithMember(R"("parameters":{"timeout":18446744073709551615})"));
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_GT(decoded.request->timeout.count(), 0);
  EXPECT_GT(std::chrono::nanoseconds(decoded.request->timeout).count(), 0);
}

struct ErrorCase {
  std::string json;
  absl::StatusCode code;
  std::string message;
};

constexpr absl::StatusCode kInternal = absl::StatusCode::kInternal;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;
constexpr absl::StatusCode kUnimplemented = absl::StatusCode::kUnimplemented;

std::string Input(std::string_view members) { return StrCat("{\"inputs\":[{", members, "}]}"); }
std::string Output(std::string_view members) {
  return StrCat("{\"inputs\":[],\"outputs\":[{", members, "}]}");
}
std::string Parameter(std::string_view member) {
  return StrCat("{\"parameters\":{", member, "},\"inputs\":[]}");
}

TEST_F(KserveJsonRequestTest, FaultsOfTheRequest) {
  const std::string source =
      "Input must set only one of the following fields: 'data', 'binary_data_size' in "
      "'parameters', 'shared_memory_region' in 'parameters'. But ";
  const std::string missing = "attempt to access non-existing object member '";
  const std::string not_unsigned =
      "attempt to access JSON non-unsigned-integer as unsigned-integer";
  const ErrorCase cases[] = {
      {"[]", kInternal, "Unable to parse 'inputs': " + missing + "inputs'"},
      {"null", kInternal, "Unable to parse 'inputs': " + missing + "inputs'"},
      {"{}", kInternal, "Unable to parse 'inputs': " + missing + "inputs'"},
      {"{\"inputs\":{}}", kInternal,
       "Unable to parse 'inputs': attempt to access JSON non-array as array"},
      {"{\"id\":1}", kInternal,
       "Unable to parse 'id': attempt to access JSON non-string as string"},
      {"{\"id\":null}", kInternal,
       "Unable to parse 'id': attempt to access JSON non-string as string"},
      {"{\"parameters\":[]}", kInternal,
       "failed to get request params.: attempt to get members for non-object"},

      {Parameter("\"sequence_id\":-1"), kInternal,
       "Unable to parse 'sequence_id': attempt to access JSON non-string as string"},
      {Parameter("\"sequence_id\":1.5"), kInternal,
       "Unable to parse 'sequence_id': attempt to access JSON non-string as string"},
      {Parameter("\"sequence_id\":\"" + std::string(129, 'x') + "\""), kUnimplemented,
       "string correlation ID cannot be longer than 128 characters"},
      {Parameter("\"sequence_start\":1"), kInternal,
       "Unable to parse 'sequence_start': attempt to access JSON non-boolean as boolean"},
      {Parameter("\"sequence_end\":null"), kInternal,
       "Unable to parse 'sequence_end': attempt to access JSON non-boolean as boolean"},
      {Parameter("\"priority\":-1"), kInternal, "Unable to parse 'priority': " + not_unsigned},
      {Parameter("\"timeout\":\"1\""), kInternal, "Unable to parse 'timeout': " + not_unsigned},
      {Parameter("\"binary_data_output\":1"), kInternal,
       "Unable to parse 'binary_data_output': attempt to access JSON non-boolean as boolean"},
      {Parameter("\"triton_enable_empty_final_response\":true"), kInvalid,
       "parameter keys starting with 'triton_' are reserved for Triton usage and should not be "
       "specified."},
      {Parameter("\"p\":null"), kInvalid,
       "parameter 'p' has invalid type. It should be either 'int', 'bool', or 'string'."},
      {Parameter("\"p\":[1]"), kInvalid,
       "parameter 'p' has invalid type. It should be either 'int', 'bool', or 'string'."},

      {"{\"inputs\":[1]}", kInvalid, source + "no field is set"},
      {Input("\"name\":1"), kInvalid, source + "no field is set"},
      {Input("\"data\":[],\"parameters\":{\"binary_data_size\":1}"), kInvalid,
       source + "set 'data' 'binary_data_size'"},
      {Input("\"data\":[],\"parameters\":{\"shared_memory_region\":\"r\",\"binary_data_size\":1}"),
       kInvalid, source + "set 'data' 'binary_data_size' 'shared_memory_region'"},
      {Input("\"data\":[],\"parameters\":3"), kInternal,
       "Unable to parse 'name': " + missing + "name'"},
      {Input("\"data\":[],\"name\":3"), kInternal,
       "Unable to parse 'name': attempt to access JSON non-string as string"},
      {Input("\"data\":[],\"name\":\"IN\""), kInternal,
       "Unable to parse 'datatype': " + missing + "datatype'"},
      {Input("\"data\":[],\"name\":\"IN\",\"datatype\":null"), kInternal,
       "Unable to parse 'datatype': attempt to access JSON non-string as string"},
      {Input("\"data\":[],\"name\":\"IN\",\"datatype\":\"FP32\""), kInternal,
       "Unable to parse 'shape': " + missing + "shape'"},
      {WithData("[]", "FP32", "1"), kInternal,
       "Unable to parse 'shape': attempt to access JSON non-array as array"},
      {WithData("[]", "FP32", "[-1]"), kInternal, "Unable to parse 'shape': " + not_unsigned},
      {WithData("[]", "FP32", "[\"1\"]"), kInternal, "Unable to parse 'shape': " + not_unsigned},
      {WithData("[]", "FP32", "[1.0]"), kInternal, "Unable to parse 'shape': " + not_unsigned},
      {WithData("[]", "FP32", "[9223372036854775808]"), kInvalid,
       "invalid shape for input 'IN': shape [-9223372036854775808] contains one or more invalid "
       "dimensions"},
      {WithData("[]", "FP33"), kInvalid, "invalid datatype for input IN"},
      {WithData("[]", "FP16"), kInvalid,
       "receiving FP16 data via JSON is not supported. Please use the binary data format for input "
       "IN"},
      {WithData("[]", "BF16"), kInvalid,
       "receiving BF16 data via JSON is not supported. Please use the binary data format for input "
       "IN"},
      {"{\"id\":\"7\",\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1]"
       "},"
       "{\"name\":\"IN\",\"datatype\":\"FP99\",\"shape\":[1],\"data\":[\"x\"]}]}",
       kInvalid, "[request id: 7] input 'IN' already exists in request"},
      {Input("\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":"
             "{\"binary_data_size\":-1}"),
       kInternal, "Unable to parse 'binary_data_size': " + not_unsigned},
      {Input("\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":"
             "{\"shared_memory_region\":\"r\"}"),
       kNotFound, "Unable to find shared memory region: 'r'"},
      {Input("\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":"
             "{\"shared_memory_region\":1}"),
       kInternal,
       "Unable to parse 'shared_memory_region': attempt to access JSON non-string as string"},
      {Input("\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":"
             "{\"shared_memory_region\":\"r\",\"shared_memory_offset\":-1}"),
       kInternal, "Unable to parse 'shared_memory_offset': " + not_unsigned},

      {"{\"inputs\":[],\"outputs\":{}}", kInternal,
       "Unable to parse 'outputs': attempt to access JSON non-array as array"},
      {Output("\"parameters\":{}"), kInternal, "Unable to parse 'name': " + missing + "name'"},
      {"{\"inputs\":[],\"outputs\":[{\"name\":\"OUT\"},{\"name\":\"OUT\"}]}", kInvalid,
       "[request id: <id_unknown>] output 'OUT' already exists in request"},
      {Output("\"name\":\"OUT\",\"parameters\":{\"classification\":-1}"), kInternal,
       "Unable to set 'classification': " + not_unsigned},
      {Output("\"name\":\"OUT\",\"parameters\":{\"binary_data\":1}"), kInternal,
       "Unable to parse 'binary_data': attempt to access JSON non-boolean as boolean"},
      {Output("\"parameters\":{\"shared_memory_region\":\"r\",\"classification\":1}"), kInvalid,
       "Output can't set both 'shared_memory_region' and 'classification'"},
      {Output("\"parameters\":{\"shared_memory_region\":\"r\",\"binary_data\":true}"), kInvalid,
       "Output can't set both 'shared_memory_region' and 'binary_data'"},
      {Output("\"parameters\":{\"shared_memory_region\":\"r\",\"binary_data\":1}"), kInternal,
       "Unable to set 'binary_data': attempt to access JSON non-boolean as boolean"},
      {Output("\"name\":\"OUT\",\"parameters\":{\"shared_memory_region\":\"r\","
              "\"binary_data\":false}"),
       kNotFound, "Unable to find shared memory region: 'r'"},
  };
  for (const ErrorCase& c : cases) {
    const absl::Status status = StatusOf(c.json);
    EXPECT_EQ(status.code(), c.code) << c.json;
    EXPECT_EQ(Message(status), c.message) << c.json;
  }
}

TEST_F(KserveJsonRequestTest, FaultsOfTheData) {
  const std::string parse = "Unable to parse 'data': ";
  const std::string deep(101, '[');
  const std::string deep_end(101, ']');
  struct DataCase {
    std::string data;
    const char* datatype;
    const char* shape;
    absl::StatusCode code;
    std::string message;
  };
  const DataCase cases[] = {
      {"[1,2]", "FP32", "[1]", kInternal,
       parse + "Shape does not match true shape of 'data' field"},
      {"[1]", "FP32", "[2]", kInternal,
       "Failed to parse 'data' field: shape does not match true shape"},
      {"[1]", "FP32", "[1048576]", kInternal,
       "Failed to parse 'data' field: shape does not match true shape"},
      {"{}", "FP32", "[1]", kInternal, parse + "attempt to access JSON non-array as array"},
      {"null", "BYTES", "[1]", kInternal, parse + "attempt to access JSON non-array as array"},
      {"[1]", "BYTES", "[1]", kInternal,
       "Unable to parse JSON bytes array: attempt to access JSON non-string as string"},
      {"[1]", "BOOL", "[1]", kInternal, parse + "attempt to access JSON non-boolean as boolean"},
      {"[1.0]", "INT32", "[1]", kInternal,
       parse + "attempt to access JSON non-signed-integer as signed-integer"},
      {"[1e3]", "UINT32", "[1]", kInternal,
       parse + "attempt to access JSON non-unsigned-integer as unsigned-integer"},
      {"[-1]", "UINT8", "[1]", kInternal,
       parse + "attempt to access JSON non-unsigned-integer as unsigned-integer"},
      {"[9223372036854775808]", "INT64", "[1]", kInternal,
       parse + "attempt to access JSON non-signed-integer as signed-integer"},
      {"[18446744073709551616]", "UINT64", "[1]", kInternal,
       parse + "attempt to access JSON non-unsigned-integer as unsigned-integer"},
      {"[\"1\"]", "FP32", "[1]", kInternal, parse + "attempt to access JSON non-number as double"},
      {"[null]", "FP64", "[1]", kInternal, parse + "attempt to access JSON non-number as double"},
      {"[{}]", "FP64", "[1]", kInternal, parse + "attempt to access JSON non-number as double"},
      {"[256]", "UINT8", "[1]", kInvalid,
       parse + "value 256 is out of range for datatype UINT8 of input 'IN'"},
      {"[-129]", "INT8", "[1]", kInvalid,
       parse + "value -129 is out of range for datatype INT8 of input 'IN'"},
      {"[4294967296]", "UINT32", "[1]", kInvalid,
       parse + "value 4294967296 is out of range for datatype UINT32 of input 'IN'"},
      {deep + "1" + deep_end, "FP32", "[1]", kInvalid,
       parse + "JSON nesting depth exceeds maximum allowed limit (100)"},
      {deep + "\"a\"" + deep_end, "BYTES", "[1]", kInvalid,
       "JSON nesting depth exceeds maximum allowed limit (100)"},
      {"[1]", "FP32", "[4611686018427387904,4]", kInvalid,
       "invalid shape for input 'IN': shape [4611686018427387904,4] causes total element count to "
       "exceed maximum size of 9223372036854775807"},
      {"[1]", "FP32", "[4611686018427387904]", kInvalid,
       "byte size overflow for input 'IN': element count (4611686018427387904) * data type size "
       "(4) exceeds maximum allowed size (9223372036854775807)"},
      {"[1]", "FP32", "[1099511627776]", kInvalid,
       "JSON input 'IN' has a byte_size (4398046511104 bytes) that exceeds the maximum allowed "
       "value of 67108864 bytes. Use --http-max-input-size to increase the limit."},
  };
  for (const DataCase& c : cases) {
    const absl::Status status = StatusOf(WithData(c.data, c.datatype, c.shape));
    EXPECT_EQ(status.code(), c.code) << c.data;
    EXPECT_EQ(Message(status), c.message) << c.data;
  }
  EXPECT_TRUE(StatusOf(WithData(deep.substr(1) + "1" + deep_end.substr(1))).ok());
}

TEST_F(KserveJsonRequestTest, StringsAreHeldToTheSizeLimit) {
  // Empty strings take three characters as text and four bytes as a tensor.
  std::string data = "[\"\"";
  for (int i = 1; i < 1000; ++i) data += ",\"\"";
  data += "]";
  limits_.max_input_size = 4000;
  EXPECT_TRUE(StatusOf(WithData(data, "BYTES")).ok());
  limits_.max_input_size = 3999;
  EXPECT_EQ(StatusOf(WithData(data, "BYTES")),
            absl::InvalidArgumentError(
                "JSON input 'IN' has a byte_size (4000 bytes) that exceeds the maximum allowed "
                "value of 3999 bytes. Use --http-max-input-size to increase the limit."));
}

TEST_F(KserveJsonRequestTest, BinarySectionMustFitExactly) {
  const std::string json = Input(
      "\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":"
      "8}");
  EXPECT_EQ(StatusOf(json, "12345"),
            absl::InvalidArgumentError(
                "unexpected size for input 'IN', expecting 3 additional bytes for model 'm'"));
  EXPECT_EQ(StatusOf(json, "123456789"),
            absl::InvalidArgumentError("unexpected additional input data for model 'm'"));
  EXPECT_EQ(StatusOf("{\"inputs\":[]}", "1"),
            absl::InvalidArgumentError("unexpected additional input data for model 'm'"));
  EXPECT_EQ(StatusOf(Input("\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":"
                           "{\"binary_data_size\":18446744073709551615}"),
                     "12345")
                .code(),
            kInvalid);
}

TEST_F(KserveJsonRequestTest, NumbersOfEntriesAreBounded) {
  limits_.max_parameters = 2;
  limits_.max_tensors = 1;
  limits_.max_dims = 2;
  EXPECT_EQ(Message(StatusOf(Parameter("\"a\":1,\"a\":1,\"b\":1,\"c\":1"))),
            "request has more than 2 parameters");
  EXPECT_EQ(Message(StatusOf(WithData("[1]", "FP32", "[1,1,1]"))),
            "request has more than 2 dimensions");
  EXPECT_EQ(Message(StatusOf("{\"inputs\":[{\"name\":\"IN\",\"datatype\":\"FP32\",\"shape\":[1],"
                             "\"data\":[1]},{}]}")),
            "request has more than 1 inputs");
  EXPECT_EQ(Message(StatusOf("{\"inputs\":[],\"outputs\":[{\"name\":\"OUT\"},{}]}")),
            "request has more than 1 outputs");
}

TEST_F(KserveJsonRequestTest, ManyNamesAreToldApart) {
  std::string json = "{\"inputs\":[";
  for (int i = 0; i < 100; ++i) {
    StrAppend(&json, i > 0 ? "," : "", "{\"name\":\"input number ", i,
              "\",\"datatype\":\"INT8\",\"shape\":[1],\"data\":[1]}");
  }
  EXPECT_TRUE(StatusOf(json + "]}").ok());
  json += ",{\"name\":\"input number 50\",\"datatype\":\"INT8\",\"shape\":[1],\"data\":[1]}]}";
  EXPECT_EQ(Message(StatusOf(json)),
            "[request id: <id_unknown>] input 'input number 50' already exists in request");
}

TEST_F(KserveJsonRequestTest, SyntaxFaultsComeFirst) {
  EXPECT_EQ(Message(Decode("{\"id\":1,").status),
            "failed to parse the request JSON buffer: Missing a name for object member. at 8");
  EXPECT_EQ(Message(Decode("{}binary").status),
            "failed to parse the request JSON buffer: The document root must not be followed by "
            "other values. at 2");
  EXPECT_EQ(Message(Decode("  ").status),
            "failed to parse the request JSON buffer: The document is empty. at 2");
}

TEST_F(KserveJsonRequestTest, LongTextsAreRefused) {
  limits_.max_input_size = 10;
  EXPECT_EQ(Decode("{\"inputs\":[]}").status,
            absl::InvalidArgumentError(
                "request JSON size of 13 bytes exceeds the maximum allowed input size of 10 bytes. "
                "Use --http-max-input-size to increase the limit."));
  EXPECT_EQ(DecodeBody("12345678901", 0, true).status,
            absl::InvalidArgumentError(
                "Raw input has a byte_size (11 bytes) that exceeds the maximum allowed value of 10 "
                "bytes. Use --http-max-input-size to increase the limit."));
}

TEST_F(KserveJsonRequestTest, LargeDocumentsAreReadWithoutATree) {
  std::string data = "[0";
  std::vector<float> values = {0};
  for (int i = 1; i < 700'000; ++i) {
    StrAppend(&data, ",", i, ".25");
    values.push_back(static_cast<float>(i) + 0.25f);
  }
  const std::string json = WithData(data + "]", "FP32", "[700000]");
  ASSERT_GT(json.size(), size_t{4} << 20);
  const Decoded decoded = Decode(json);
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_EQ(StringOf(decoded.request->inputs[0].data), BytesOf(values));
}

TEST_F(KserveJsonRequestTest, RawBodiesAreTheOnlyInput) {
  const Decoded decoded = DecodeBody("raw", 0, true);
  ASSERT_TRUE(decoded.status.ok());
  EXPECT_TRUE(decoded.request->is_raw_input);
  ASSERT_EQ(decoded.request->inputs.size(), 1u);
  EXPECT_EQ(StringOf(decoded.request->inputs[0].data), "raw");
  EXPECT_TRUE(decoded.format.Find(config_->FindOutput("OUT")).is_binary);
}

TEST_F(KserveJsonRequestTest, DamagedTextsNeverDoHarm) {
  const std::string seed = R"({"id":"a\u00e9","parameters":{"priority":1,"x":-1.5e3},"inputs":[
    {"name":"IN","datatype":"FP32","shape":[2,2],"data":[[1,2],[3,NaN]]},
    {"name":"IN2","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}}],
    "outputs":[{"name":"OUT","parameters":{"classification":1,"binary_data":true}}]})";
  const std::string alphabet = "{}[]\",:\\u0123456789eE+-.nulltruefalseNaNInf \xff";
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string json = seed;
    const int edits = static_cast<int>(random() % 4);
    for (int i = 0; i < edits; ++i) {
      const size_t position = random() % json.size();
      switch (random() % 3) {
        case 0:
          json[position] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          json.erase(position, random() % 4);
          break;
        default:
          json.insert(position, 1, alphabet[random() % alphabet.size()]);
          break;
      }
    }
    const Decoded strict = Decode(json, "12345");
    const Decoded in_place = Decode(json, "12345", true);
    if (strict.status.ok()) ++accepted;
    ASSERT_EQ(strict.status.code(), in_place.status.code()) << json;
    // What is no JSON says where, and the byte order mark moves that.
    if (!Message(strict.status).starts_with("failed to parse")) {
      ASSERT_EQ(strict.status, in_place.status) << json;
    }
  }
  EXPECT_GT(accepted, 1000);
}

struct DivideCase {
  const char* header;
  size_t json_size;
  bool is_raw;
  const char* error;
};

TEST(DivideInferBody, ReadsTheHeaderLength) {
  const DivideCase cases[] = {
      {nullptr, 10, false, nullptr},
      {"4", 4, false, nullptr},
      {"10", 10, false, nullptr},
      {"+4", 4, false, nullptr},
      {"4x", 4, false, nullptr},
      {"0", 0, true, nullptr},
      {"", 0, false, "Unable to parse Inference-Header-Content-Length, got: "},
      {"x", 0, false, "Unable to parse Inference-Header-Content-Length, got: x"},
      {"+-4", 0, false, "Unable to parse Inference-Header-Content-Length, got: +-4"},
      {"11", 0, false, "inference header size should be in range (0, 10), got: 11"},
      {"-1", 0, false, "inference header size should be in range (0, 10), got: -1"},
      {"99999999999", 0, false,
       "Unable to parse Inference-Header-Content-Length, value is out of range [ -2147483648, "
       "2147483647 ], got: 99999999999"},
  };
  for (const DivideCase& c : cases) {
    const auto header =
        c.header == nullptr ? std::nullopt : std::optional<std::string_view>(c.header);
    const auto body = DivideInferBody(nullptr, "0123456789", header);
    if (c.error != nullptr) {
      EXPECT_EQ(body.status(), absl::InvalidArgumentError(c.error));
      continue;
    }
    ASSERT_TRUE(body.ok()) << body.status();
    EXPECT_EQ(body->json_size, c.json_size);
    EXPECT_EQ(body->is_raw, c.is_raw);
  }
}

TEST(DivideInferBody, AnEmptyBodyIsRaw) {
  const auto body = DivideInferBody(nullptr, "", std::nullopt);
  ASSERT_TRUE(body.ok());
  EXPECT_TRUE(body->is_raw);
}

}  // namespace
}  // namespace nereid
