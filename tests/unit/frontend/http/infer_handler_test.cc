#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <future>
#include <random>
#include <thread>

#include "memory/host_memory.h"
#include "support/http_fixture.h"
#include "support/tensor_bytes.h"

namespace nereid {
namespace {

using testing::BytesOf;
using testing::HttpFixture;
using testing::kInferPath;
using testing::PayloadOf;
using testing::RawHttpClient;
using testing::RawResponse;

constexpr char kJson[] = "application/json";
constexpr char kText[] = "text/plain";
constexpr char kBinary[] = "application/octet-stream";
constexpr char kJsonRequest[] =
    R"({"id":"1","inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"data":[1,2.5]}]})";
constexpr char kJsonResponse[] =
    R"({"id":"1","model_name":"m","model_version":"3",)"
    R"("outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[1,2],"data":[1.0,2.5]}]})";

// zlib's window argument for each encoding.
constexpr int kGzip = 15 + 16;
constexpr int kDeflate = 15;

std::string Compress(std::string_view text, int window) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Decompress(std::string_view packed) {
  z_stream stream = {};
  inflateInit2(&stream, 15 + 32);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

class InferHandlerTest : public HttpFixture {
 protected:
  struct Binary {
    std::string body;
    Headers headers;
  };
  // A request for one binary tensor, both ways.
  static Binary BinaryRequest(const std::string& bytes) {
    const std::string json =
        StrCat(R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,)", bytes.size() / 4,
               R"(],"parameters":{"binary_data_size":)", bytes.size(),
               R"(}}],"outputs":[{"name":"OUTPUT0","parameters":{"binary_data":true}}]})");
    return {json + bytes, {{"Inference-Header-Content-Length", StrCat(json.size())}}};
  }
  static std::string BinaryPart(const RawResponse& response) {
    const std::string length = response.Header("inference-header-content-length");
    EXPECT_NE(length, "");
    return length.empty() ? "" : response.body.substr(std::stoul(length));
  }
  // Has `answer` run on another thread for each request of model "m".
  void AnswerElsewhere(std::function<void(std::unique_ptr<InferRequest>)> answer) {
    model->set_behaviour([this, answer](std::unique_ptr<InferRequest> request) {
      worker_ = std::async(std::launch::async, [answer, request = std::move(request)]() mutable {
        answer(std::move(request));
      });
    });
  }

  std::future<void> worker_;
};

TEST_F(InferHandlerTest, JsonInJsonOut) {
  for (const char* path : {kInferPath, "/v2/models/m/versions/3/infer"}) {
    const RawResponse response = Post(path, kJsonRequest);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, kJsonResponse);
    EXPECT_EQ(response.Header("content-type"), kJson);
    EXPECT_EQ(response.Header("inference-header-content-length"), "");
  }
}

TEST_F(InferHandlerTest, BinaryInBinaryOut) {
  const std::string bytes = BytesOf<float>({1, 2, 3});
  const Binary request = BinaryRequest(bytes);
  const RawResponse response = Post(kInferPath, request.body, request.headers);
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.Header("content-type"), kBinary);
  EXPECT_EQ(BinaryPart(response), bytes);
  EXPECT_EQ(response.body.substr(0, response.body.size() - bytes.size()),
            R"({"model_name":"m","model_version":"3","outputs":[{"name":"OUTPUT0",)"
            R"("datatype":"FP32","shape":[1,3],"parameters":{"binary_data_size":12}}]})");
}

TEST_F(InferHandlerTest, LargeTensorsPassUnharmed) {
  std::string bytes(6 << 20, '\0');
  std::mt19937_64 random(1);
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, sizeof(word));
  }
  const Binary request = BinaryRequest(bytes);
  const RawResponse response = Post(kInferPath, request.body, request.headers);
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(BinaryPart(response) == bytes);
}

TEST_F(InferHandlerTest, StringsBothWays) {
  const RawResponse response =
      Post("/v2/models/strings/infer",
           R"({"inputs":[{"name":"INPUT0","datatype":"BYTES","shape":[1],"data":["a\"\u00e9"]}]})");
  EXPECT_EQ(response.body,
            R"({"model_name":"strings","model_version":"1","outputs":[{"name":"OUTPUT0",)"
            R"("datatype":"BYTES","shape":[1],"data":["a\"é"]}]})");
}

TEST_F(InferHandlerTest, EmptyBinaryOutputsAreSentAsJson) {
  const Binary request = BinaryRequest("");
  const RawResponse response = Post(kInferPath, request.body, request.headers);
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.Header("content-type"), kJson);
  EXPECT_EQ(response.Header("inference-header-content-length"), "");
  EXPECT_NE(response.body.find(R"("shape":[1,0],"parameters":{"binary_data_size":0}})"),
            std::string::npos);
}

TEST_F(InferHandlerTest, RawBodies) {
  const std::string bytes = BytesOf<float>({7, 8});
  const RawResponse response = Post(kInferPath, bytes, {{"Inference-Header-Content-Length", "0"}});
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.Header("content-type"), kBinary);
  EXPECT_EQ(BinaryPart(response), bytes);
  const RawResponse text =
      Post("/v2/models/strings/infer", "text", {{"Inference-Header-Content-Length", "0"}});
  EXPECT_EQ(BinaryPart(text), std::string("\4\0\0\0text", 8));
  EXPECT_EQ(Post(kInferPath, "").status, 200) << "an empty body is a raw request of 0 bytes";
  ExpectError(Post(kInferPath, "12345", {{"Inference-Header-Content-Length", "0"}}), 400,
              "[request id: <id_unknown>] input byte size mismatch for input 'raw_input' for model "
              "'m'. Expected 4, got 5",
              kJson);
}

TEST_F(InferHandlerTest, CompressedRequests) {
  const std::pair<const char*, int> encodings[] = {{"gzip", kGzip}, {"deflate", kDeflate}};
  for (const auto& [name, window] : encodings) {
    const RawResponse json =
        Post(kInferPath, Compress(kJsonRequest, window), {{"Content-Encoding", name}});
    EXPECT_EQ(json.body, kJsonResponse);
    Binary binary = BinaryRequest(BytesOf<float>({1, 2, 3}));
    binary.headers.emplace_back("Content-Encoding", name);
    EXPECT_EQ(BinaryPart(Post(kInferPath, Compress(binary.body, window), binary.headers)),
              BytesOf<float>({1, 2, 3}));
    ExpectError(Post(kInferPath, kJsonRequest, {{"Content-Encoding", name}}), 400,
                StrCat("failed to decompress the request body as ", name), kText);
  }
  EXPECT_EQ(Post(kInferPath, kJsonRequest, {{"Content-Encoding", "identity"}}).status, 200);
}

TEST_F(InferHandlerTest, UnknownEncodings) {
  const RawResponse response = Post(kInferPath, kJsonRequest, {{"Content-Encoding", "br"}});
  ExpectError(response, 501, "Unsupported compression type", kText);
  EXPECT_EQ(response.Header("accept-encoding"), "gzip, deflate");
}

TEST_F(InferHandlerTest, CompressedResponses) {
  for (const char* name : {"gzip", "deflate"}) {
    const RawResponse json = Post(kInferPath, kJsonRequest, {{"Accept-Encoding", name}});
    EXPECT_EQ(json.Header("content-encoding"), name);
    EXPECT_EQ(json.Header("content-type"), kJson);
    EXPECT_EQ(Decompress(json.body), kJsonResponse);
    Binary binary = BinaryRequest(std::string(40000, 'x'));
    binary.headers.emplace_back("Accept-Encoding", name);
    RawResponse response = Post(kInferPath, binary.body, binary.headers);
    EXPECT_LT(response.body.size(), 4000u);
    response.body = Decompress(response.body);
    EXPECT_EQ(BinaryPart(response), std::string(40000, 'x')) << "lengths are of plain data";
  }
  EXPECT_EQ(Post(kInferPath, "{", {{"Accept-Encoding", "gzip"}}).Header("content-encoding"), "");
  EXPECT_EQ(Get("/v2", {{"Accept-Encoding", "gzip"}}).Header("content-encoding"), "");
}

TEST_F(InferHandlerTest, AnswersFromOtherThreads) {
  AnswerElsewhere(testing::AnswerIdentity);
  EXPECT_EQ(Post(kInferPath, kJsonRequest).body, kJsonResponse);
  // Long enough to be encoded on the loop.
  std::string data = "0.0";
  for (int i = 1; i < 5000; ++i) StrAppend(&data, ",", i, ".5");
  const std::string tensor =
      StrCat("\"datatype\":\"FP32\",\"shape\":[1,5000],\"data\":[", data, "]}]}");
  const RawResponse response =
      Post(kInferPath, StrCat("{\"inputs\":[{\"name\":\"INPUT0\",", tensor));
  EXPECT_EQ(response.body, StrCat(R"({"model_name":"m","model_version":"3",)"
                                  R"("outputs":[{"name":"OUTPUT0",)",
                                  tensor));
}

TEST_F(InferHandlerTest, OutputsLieInBuffersOfTheSink) {
  AnswerElsewhere([](std::unique_ptr<InferRequest> request) {
    const TensorSpec& spec = request->config->outputs()[0];
    auto buffer = request->AllocateOutput(spec, 8);
    ASSERT_TRUE(buffer.ok());
    std::memcpy(buffer->data(), BytesOf<float>({4, 5}).data(), 8);
    InferResponse response;
    response.outputs.push_back({&spec, DataType::kFp32, {1, 2}, *buffer});
    response.parameters = {{"p", true}};
    request->Respond(std::move(response));
  });
  EXPECT_EQ(Post(kInferPath, kJsonRequest).body,
            R"({"id":"1","model_name":"m","model_version":"3","parameters":{"p":true},)"
            R"("outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[1,2],"data":[4.0,5.0]}]})");
}

TEST_F(InferHandlerTest, ErrorsBeforeTheJsonAreText) {
  ExpectError(Post("/v2/models/none/infer", kJsonRequest), 404,
              "Request for unknown model: 'none' is not found", kText);
  ExpectError(Post("/v2/models/m/versions/99999999999999999999/infer", kJsonRequest), 400,
              "failed to get model version from specified version string '99999999999999999999' "
              "(details: stol), version should be an integral value > 0",
              kText);
  ExpectError(Post(kInferPath, "{}", {{"Inference-Header-Content-Length", "3"}}), 400,
              "inference header size should be in range (0, 2), got: 3", kText);
  ExpectError(Post(kInferPath, "{}", {{"Inference-Header-Content-Length", "x"}}), 400,
              "Unable to parse Inference-Header-Content-Length, got: x", kText);
}

TEST_F(InferHandlerTest, DecoupledModelsAreRefused) {
  server.Add(
      testing::ConfigFromText("name: \"decoupled\" model_transaction_policy { decoupled: true }"));
  ExpectError(Post("/v2/models/decoupled/infer", "{}"), 501,
              "HTTP end point doesn't support models with decoupled transaction policy", kText);
}

TEST_F(InferHandlerTest, ErrorsOfTheRequestAreJson) {
  ExpectError(Post(kInferPath, "x"), 500,
              "failed to parse the request JSON buffer: Invalid value. at 0", kJson);
  ExpectError(Post(kInferPath, R"({"inputs":[{"name":"NO","datatype":"FP32","shape":[1,1],)"
                               R"("data":[1]}]})"),
              400, "unexpected inference input 'NO' for model 'm'", kJson);
  ExpectError(Post(kInferPath, R"({"id":"7","inputs":[{"name":"INPUT0","datatype":"INT8",)"
                               R"("shape":[1,1],"data":[1]}]})"),
              400,
              "[request id: 7] inference input 'INPUT0' data-type is 'INT8', but model 'm' expects "
              "'FP32'",
              kJson);
  server.infer_status = absl::UnavailableError("Server exiting");
  ExpectError(Post(kInferPath, kJsonRequest), 503, "Server exiting", kJson);
}

TEST_F(InferHandlerTest, ErrorsOfTheExecutionAreText) {
  AnswerElsewhere([](std::unique_ptr<InferRequest> request) {
    request->Fail(absl::InternalError("it broke"));
  });
  ExpectError(Post(kInferPath, kJsonRequest), 500, "it broke", kText);
}

TEST_F(InferHandlerTest, OutputsWithoutJsonFormAreErrorsOfTheExecution) {
  server.Add(testing::ConfigFromText(R"(
    name: "half" backend: "identity"
    input { name: "INPUT0" data_type: TYPE_FP16 dims: 1 }
    output { name: "OUTPUT0" data_type: TYPE_FP16 dims: 1 })"));
  const std::string json = R"({"inputs":[{"name":"INPUT0","datatype":"FP16","shape":[1],)"
                           R"("parameters":{"binary_data_size":2}}]})";
  ExpectError(Post("/v2/models/half/infer", json + "ab",
                   {{"Inference-Header-Content-Length", StrCat(json.size())}}),
              400,
              "sending FP16 data via JSON is not supported. Please use the binary data format for "
              "output",
              kText);
}

TEST_F(InferHandlerTest, OnlyOneResponseIsAllowed) {
  AnswerElsewhere([](std::unique_ptr<InferRequest> request) {
    request->Respond({}, false);
    request->Respond({}, false);
    request->Respond({}, true);
  });
  ExpectError(Post(kInferPath, kJsonRequest), 500, "expected a single response, got 3", kText);
  AnswerElsewhere([](std::unique_ptr<InferRequest> request) { request->Finish(); });
  ExpectError(Post(kInferPath, kJsonRequest), 500, "expected a single response, got 0", kText);
  AnswerElsewhere([](std::unique_ptr<InferRequest> request) {
    request->Respond({}, false);
    request->Finish();
  });
  EXPECT_EQ(Post(kInferPath, kJsonRequest).body,
            R"({"id":"1","model_name":"m","model_version":"3","outputs":[]})");
}

TEST_F(InferHandlerTest, DroppedRequestsAreAnswered) {
  AnswerElsewhere([](std::unique_ptr<InferRequest> request) { request.reset(); });
  ExpectError(Post(kInferPath, kJsonRequest), 500, "the request was dropped without an answer",
              kText);
}

TEST_F(InferHandlerTest, ClientsThatLeaveCancelTheirRequests) {
  std::promise<std::unique_ptr<InferRequest>> submitted;
  model->set_behaviour(
      [&](std::unique_ptr<InferRequest> request) { submitted.set_value(std::move(request)); });
  RawHttpClient client = Connect();
  client.Send(RequestText("POST", kInferPath, kJsonRequest));
  std::unique_ptr<InferRequest> request = submitted.get_future().get();
  EXPECT_FALSE(request->IsCancelled());
  client.Reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!request->IsCancelled() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(request->IsCancelled());
  testing::AnswerIdentity(std::move(request));  // goes nowhere, and does no harm
  EXPECT_EQ(Get("/v2/health/live").status, 200);
}

TEST_F(InferHandlerTest, HeadersAreForwardedAsParameters) {
  options.header_forward_pattern = "^X-";
  Parameters parameters;
  model->set_behaviour([&](std::unique_ptr<InferRequest> request) {
    parameters = request->parameters;
    testing::AnswerIdentity(std::move(request));
  });
  EXPECT_EQ(Post(kInferPath, kJsonRequest, {{"x-user", "me"}, {"Y-User", "you"}}).status, 200);
  ASSERT_EQ(parameters.size(), 1u);
  EXPECT_EQ(parameters[0].name, "x-user");
  EXPECT_EQ(std::get<std::string>(parameters[0].value), "me");
}

TEST_F(InferHandlerTest, ReservedHeadersAreNotForwarded) {
  options.header_forward_pattern = "time";
  ExpectError(Post(kInferPath, kJsonRequest, {{"timeout", "1"}}), 400,
              "Header 'timeout' is reserved for Triton usage and cannot be forwarded.", kJson);
}

TEST_F(InferHandlerTest, LimitsOfTheBody) {
  options.max_input_size = 300;
  const std::string advice = "Use --http-max-input-size to increase the limit.";
  const std::string padding(300, ' ');
  ExpectError(
      Post(kInferPath, "{" + padding), 400,
      "request JSON size of 301 bytes exceeds the maximum allowed input size of 300 bytes. " +
          advice,
      kJson);
  ExpectError(
      Post(kInferPath, "{" + padding, {{"Inference-Header-Content-Length", "301"}}), 400,
      "request JSON size of 301 bytes exceeds the maximum allowed input size of 300 bytes. " +
          advice,
      kJson);
  ExpectError(Post(kInferPath, padding + padding, {{"Inference-Header-Content-Length", "0"}}), 400,
              "Raw input has a byte_size (600 bytes) that exceeds the maximum allowed value of 300 "
              "bytes. " +
                  advice,
              kJson);
  ExpectError(
      Post(kInferPath, Compress(std::string(1 << 20, ' '), kGzip), {{"Content-Encoding", "gzip"}}),
      400, "Decompressed data size exceeds the maximum allowed value of 300 bytes. " + advice,
      kText);
  ExpectError(
      Post(kInferPath, Compress(std::string(16 << 20, ' '), kGzip), {{"Content-Encoding", "gzip"}}),
      400, "Decompressed data size exceeds the maximum allowed value of 300 bytes. " + advice,
      kText);
  const Binary binary = BinaryRequest(std::string(40000, 'x'));
  EXPECT_EQ(Post(kInferPath, binary.body, binary.headers).status, 200)
      << "tensors in the binary section are not limited";
}

TEST_F(InferHandlerTest, ChunkedBodies) {
  RawHttpClient client = Connect();
  client.Send("POST /v2/models/m/infer HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string body = kJsonRequest;
  for (size_t i = 0; i < body.size(); i += 10) {
    const std::string piece = body.substr(i, 10);
    client.Send(StrCat(piece.size() == 10 ? "a" : StrCat(piece.size()), "\r\n", piece, "\r\n"));
  }
  client.Send("0\r\n\r\n");
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->body, kJsonResponse);
}

TEST_F(InferHandlerTest, PipelinedRequestsAreAnsweredInOrder) {
  std::vector<std::unique_ptr<InferRequest>> held;
  std::promise<void> all_there;
  model->set_behaviour([&](std::unique_ptr<InferRequest> request) {
    held.push_back(std::move(request));
    if (held.size() == 3) all_there.set_value();
  });
  RawHttpClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    client.Send(RequestText(
        "POST", kInferPath,
        StrCat(R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,1],"data":[)", i,
               "]}]}")));
  }
  all_there.get_future().get();
  for (int i = 2; i >= 0; --i) testing::AnswerIdentity(std::move(held[static_cast<size_t>(i)]));
  for (int i = 0; i < 3; ++i) {
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response.has_value());
    EXPECT_NE(response->body.find(StrCat("\"data\":[", i, ".0]")), std::string::npos);
  }
}

}  // namespace
}  // namespace nereid
