// The JSON of an infer request, through both parsers, the model's checks, and back into JSON.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/strings.h"
#include "infer/request_validator.h"
#include "support/fake_sink.h"
#include "support/infer_body.h"
#include "support/parsed_config.h"
#include "wire/json_syntax.h"
#include "wire/kserve_json_request.h"
#include "wire/kserve_json_response.h"

namespace nereid {
namespace {

using testing::ExactBlock;
using testing::FakeSink;
using testing::ParsedConfig;
using testing::SinkRecord;

void Require(bool holds) {
  if (!holds) std::abort();
}

const std::shared_ptr<const ModelConfig>& Config() {
  static const auto& config = *new std::shared_ptr<const ModelConfig>(ParsedConfig(R"(
    name: "m" max_batch_size: 4
    input { name: "F" data_type: TYPE_FP32 dims: -1 optional: true }
    input { name: "I" data_type: TYPE_INT8 dims: -1 optional: true }
    input { name: "B" data_type: TYPE_BOOL dims: 2 optional: true }
    input { name: "S" data_type: TYPE_STRING dims: -1 optional: true }
    output { name: "F" data_type: TYPE_FP32 dims: -1 }
    output { name: "I" data_type: TYPE_INT8 dims: -1 }
    output { name: "B" data_type: TYPE_BOOL dims: 2 }
    output { name: "S" data_type: TYPE_STRING dims: -1 })"));
  return config;
}

struct Decoded {
  std::unique_ptr<InferRequest> request;
  OutputFormat format;
  absl::Status status;
};

Decoded Decode(std::string_view json) {
  Decoded decoded;
  decoded.request =
      std::make_unique<InferRequest>(std::make_unique<FakeSink>(std::make_shared<SinkRecord>()));
  auto block = ExactBlock(json);
  const std::string_view bytes(block.get(), json.size());
  const JsonInferBody body{std::move(block), bytes, bytes.size(), false};
  JsonInferLimits limits;
  limits.max_input_size = 1 << 20;
  decoded.status = DecodeInferBody(body, Config(), limits, *decoded.request, decoded.format);
  return decoded;
}

// What passed the checks can be sent back, and what is sent is JSON.
void CheckEcho(Decoded& decoded) {
  if (!ValidateRequest(Config(), *decoded.request).ok()) return;
  InferResponse response;
  for (const InferRequest::Input& input : decoded.request->inputs) {
    const TensorSpec* spec = Config()->FindOutput(input.name);
    response.outputs.push_back({spec, input.data_type, input.shape, input.data});
  }
  response.parameters = decoded.request->parameters;
  const JsonResponseHead head{decoded.request->id, Config().get(), 1};
  const auto encoded = EncodeJsonResponse(head, decoded.format, response);
  if (encoded.ok()) Require(CheckJsonSyntax(encoded->json).ok());
}

}  // namespace
}  // namespace nereid

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  if (json.empty()) return 0;
  nereid::Decoded strict = nereid::Decode(json);
  if (!json.starts_with("\xEF\xBB\xBF")) {
    // The byte order mark keeps the strict parser out.
    const nereid::Decoded in_place = nereid::Decode("\xEF\xBB\xBF" + std::string(json));
    nereid::Require(strict.status.code() == in_place.status.code());
  }
  if (strict.status.ok()) nereid::CheckEcho(strict);
  return 0;
}
