// The path of a small request without sockets, threads and a model: bytes in, InferRequest,
// validation, bytes out. What it costs beyond this is the transport, the hops and the kernel.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>

#include "common/strings.h"
#include "config/config_parser.h"
#include "infer/request_validator.h"
#include "memory/host_memory.h"
#include "nereid/model_config.h"
#include "nereid/request.h"
#include "proto/model_config.pb.h"
#include "wire/kserve_json_request.h"
#include "wire/kserve_json_response.h"
#include "wire/kserve_protobuf_message.h"
#include "wire/kserve_protobuf_request.h"
#include "wire/kserve_protobuf_response.h"

namespace nereid {
namespace {

constexpr size_t kTensorBytes = 64;

std::shared_ptr<const ModelConfig> EchoConfig() {
  auto config = ParseConfigText(
      R"(name: "identity" backend: "identity" max_batch_size: 64
         input { name: "INPUT0" data_type: TYPE_FP32 dims: -1 }
         output { name: "OUTPUT0" data_type: TYPE_FP32 dims: -1 })",
      "config.pbtxt");
  return *ModelConfig::Create(*std::move(config), {});
}

class NoSink : public ResponseSink {
  absl::StatusOr<Buffer> Allocate(const TensorSpec&, size_t size, MemoryPlace) noexcept override {
    return AllocateHost(size);
  }
  void Send(InferResponse response, bool) noexcept override { benchmark::DoNotOptimize(response); }
  void Finish() noexcept override {}
};

// The answer of an identity model.
InferResponse Echo(const ModelConfig& config, const InferRequest& request) {
  InferResponse response;
  const InferRequest::Input& input = request.inputs[0];
  response.outputs.push_back({&config.outputs()[0], input.data_type, input.shape, input.data});
  return response;
}

struct Body {
  std::shared_ptr<std::string> text;
  size_t json_size;
};

Body JsonBody() {
  std::string json = StrCat(R"({"inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"FP32",)",
                            R"("parameters":{"binary_data_size":64}}],)",
                            R"("outputs":[{"name":"OUTPUT0","parameters":{"binary_data":true}}]})");
  const size_t json_size = json.size();
  return {std::make_shared<std::string>(json + std::string(kTensorBytes + kJsonPadding, '\0')),
          json_size};
}

void BM_JsonRequest(benchmark::State& state) {
  const auto config = EchoConfig();
  const Body body = JsonBody();
  const std::string_view bytes(body.text->data(), body.json_size + kTensorBytes);
  for (auto _ : state) {
    InferRequest request(std::make_unique<NoSink>());
    OutputFormat format;
    absl::Status status =
        DecodeInferBody({body.text, bytes, body.json_size}, config, {}, request, format);
    if (status.ok()) status = ValidateRequest(config, request);
    if (!status.ok()) return state.SkipWithError(std::string(Message(status)).c_str());
    InferResponse response = Echo(*config, request);
    auto encoded = EncodeJsonResponse({{}, config.get(), 1}, format, response);
    benchmark::DoNotOptimize(encoded);
    request.Finish();
  }
}
BENCHMARK(BM_JsonRequest);

void AppendField(int number, std::string_view payload, std::string& out) {
  out += static_cast<char>(number << 3 | 2);
  out += static_cast<char>(payload.size());  // every field here is short
  out += payload;
}

// ModelInferRequest with one input of kTensorBytes as raw contents.
std::string InferMessageBytes() {
  std::string tensor;
  AppendField(1, "INPUT0", tensor);
  AppendField(2, "FP32", tensor);
  AppendField(3, std::string_view("\x01\x10", 2), tensor);
  std::string message;
  AppendField(1, "identity", message);
  AppendField(5, tensor, message);
  AppendField(7, std::string(kTensorBytes, '\0'), message);
  return message;
}

void BM_ProtobufRequest(benchmark::State& state) {
  const auto config = EchoConfig();
  const auto text = std::make_shared<const std::string>(InferMessageBytes());
  const Payload bytes(
      text, Payload::Segments{{reinterpret_cast<const std::byte*>(text->data()), text->size()}});
  for (auto _ : state) {
    InferMessage message;
    absl::Status status = ParseInferMessage(bytes, message);
    InferRequest request(std::make_unique<NoSink>());
    if (status.ok()) status = AddRequestParameters(message, request);
    if (status.ok()) status = AddTensors(message, request);
    if (status.ok()) status = ValidateRequest(config, request);
    if (!status.ok()) return state.SkipWithError(std::string(Message(status)).c_str());
    auto encoded =
        EncodeInferResponse({message.model_name, "1", message.id}, Echo(*config, request));
    benchmark::DoNotOptimize(encoded);
    request.Finish();
  }
}
BENCHMARK(BM_ProtobufRequest);

}  // namespace
}  // namespace nereid

BENCHMARK_MAIN();
