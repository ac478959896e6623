// A body with a binary section, divided by Inference-Header-Content-Length. The value of that
// header is the input's first line; without a line there is no header.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "infer/request_validator.h"
#include "support/fake_sink.h"
#include "support/infer_body.h"
#include "support/parsed_config.h"
#include "wire/kserve_json_request.h"

namespace nereid {
namespace {

using testing::ExactBlock;
using testing::FakeSink;
using testing::ParsedConfig;
using testing::SinkRecord;

void Require(bool holds) {
  if (!holds) std::abort();
}

const std::shared_ptr<const ModelConfig>& Config(bool raw_strings) {
  static const auto& batching = *new std::shared_ptr<const ModelConfig>(ParsedConfig(R"(
    name: "m" max_batch_size: 4
    input { name: "F" data_type: TYPE_FP32 dims: [ -1, 2 ] }
    input { name: "S" data_type: TYPE_STRING dims: -1 optional: true }
    output { name: "F" data_type: TYPE_FP32 dims: -1 })"));
  static const auto& strings = *new std::shared_ptr<const ModelConfig>(ParsedConfig(R"(
    name: "strings" input { name: "S" data_type: TYPE_STRING dims: 1 }
    output { name: "S" data_type: TYPE_STRING dims: 1 })"));
  return raw_strings ? strings : batching;
}

// Every byte that a request refers to lies in its body, unless it was made from JSON; reads them
// all.
void CheckInputs(const InferRequest& request, const std::shared_ptr<const void>& owner,
                 std::string_view body) {
  const std::less_equal<const char*> in_order;
  unsigned sum = 0;
  for (const InferRequest::Input& input : request.inputs) {
    for (const Payload::Segment& segment : input.data.segments()) {
      const char* begin = reinterpret_cast<const char*>(segment.data());
      if (input.data.owner() == owner) {
        Require(in_order(body.data(), begin));
        Require(in_order(begin + segment.size(), body.data() + body.size()));
      }
      for (std::byte byte : segment) sum += static_cast<unsigned>(byte);
    }
  }
  static std::atomic<unsigned> last_sum;  // keeps the reads from being optimised away
  last_sum.store(sum);
}

void Exercise(std::optional<std::string_view> header, std::string_view content, bool raw_strings) {
  const auto block = ExactBlock(content);
  const std::string_view bytes(block.get(), content.size());
  const auto body = DivideInferBody(block, bytes, header);
  if (!body.ok()) return;
  Require(body->json_size <= bytes.size());
  InferRequest request(std::make_unique<FakeSink>(std::make_shared<SinkRecord>()));
  OutputFormat format;
  JsonInferLimits limits;
  limits.max_input_size = 4096;
  if (!DecodeInferBody(*body, Config(raw_strings), limits, request, format).ok()) return;
  CheckInputs(request, block, bytes);
  if (ValidateRequest(Config(raw_strings), request).ok()) CheckInputs(request, block, bytes);
}

}  // namespace
}  // namespace nereid

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view content(reinterpret_cast<const char*>(data), size);
  std::optional<std::string_view> header;
  if (const size_t line = content.find('\n'); line != std::string_view::npos) {
    header = content.substr(0, line);
    content.remove_prefix(line + 1);
  }
  for (bool raw_strings : {false, true}) nereid::Exercise(header, content, raw_strings);
  return 0;
}
