// The JSON of the HTTP data path: requests in, responses out.
//
//   build/release/bench/bench_micro --benchmark_filter=Json

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/strings.h"
#include "config/config_parser.h"
#include "nereid/model_config.h"
#include "proto/model_config.pb.h"
#include "wire/kserve_json_request.h"
#include "wire/kserve_json_response.h"

namespace nereid {
namespace {

class NullSink final : public ResponseSink {
 public:
  absl::StatusOr<Buffer> Allocate(const TensorSpec&, size_t, MemoryPlace) noexcept override {
    return Buffer();
  }
  void Send(InferResponse, bool) noexcept override {}
  void Finish() noexcept override {}
};

const std::shared_ptr<const ModelConfig>& Config() {
  static const auto& config = *new auto([] {
    const auto proto = ParseConfigText(
        "name: \"identity\" max_batch_size: 8 "
        "input { name: \"INPUT0\" data_type: TYPE_FP32 dims: -1 } "
        "output { name: \"OUTPUT0\" data_type: TYPE_FP32 dims: -1 }",
        "config");
    if (!proto.ok()) std::abort();
    auto created = ModelConfig::Create(*proto, {});
    if (!created.ok()) std::abort();
    return *created;
  }());
  return config;
}

void Decode(benchmark::State& state, const std::string& json, std::string_view binary) {
  auto owner = std::make_shared<const std::string>(json + std::string(binary) +
                                                   std::string(kJsonPadding, '\0'));
  const JsonInferBody body{owner, std::string_view(*owner).substr(0, json.size() + binary.size()),
                           json.size(), false};
  const JsonInferLimits limits;
  for (auto _ : state) {
    InferRequest request(std::make_unique<NullSink>());
    OutputFormat format;
    if (!DecodeInferBody(body, Config(), limits, request, format).ok()) std::abort();
    benchmark::DoNotOptimize(request.inputs[0].data.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * json.size()));
}

// What tritonclient sends for 64 bytes of FP32.
void BM_JsonDecodeBinaryHeader(benchmark::State& state) {
  Decode(state,
         R"({"inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"FP32",)"
         R"("parameters":{"binary_data_size":64}}],)"
         R"("outputs":[{"name":"OUTPUT0","parameters":{"binary_data":true}}]})",
         std::string(64, '\0'));
}
BENCHMARK(BM_JsonDecodeBinaryHeader);

// `count` numbers; a byte order mark keeps the strict parser out.
void BM_JsonDecodeFloats(benchmark::State& state) {
  const int64_t count = state.range(0);
  std::string json = state.range(1) != 0 ? "\xEF\xBB\xBF" : "";
  StrAppend(&json, R"({"inputs":[{"name":"INPUT0","shape":[1,)", count,
            R"(],"datatype":"FP32","data":[)");
  for (int64_t i = 0; i < count; ++i) {
    StrAppend(&json, i > 0 ? "," : "", static_cast<double>(i) * 0.37 - 100);
  }
  Decode(state, json + "]}]}", "");
}
BENCHMARK(BM_JsonDecodeFloats)
    ->ArgNames({"count", "in_place"})
    ->ArgsProduct({{16, 100'000}, {0, 1}});

void BM_JsonEncode(benchmark::State& state) {
  const auto values = std::make_shared<std::vector<float>>(state.range(0));
  for (size_t i = 0; i < values->size(); ++i) (*values)[i] = static_cast<float>(i) * 0.37f;
  const TensorSpec* spec = Config()->FindOutput("OUTPUT0");
  OutputFormat format;
  format.binary_by_default = state.range(1) != 0;
  const Payload data(values, reinterpret_cast<const std::byte*>(values->data()),
                     values->size() * sizeof(float));
  for (auto _ : state) {
    InferResponse response;
    response.outputs.push_back({spec, DataType::kFp32, {1, state.range(0)}, data});
    auto body = EncodeJsonResponse({"", Config().get(), 1}, format, response);
    if (!body.ok()) std::abort();
    benchmark::DoNotOptimize(body->json.data());
  }
}
BENCHMARK(BM_JsonEncode)
    ->ArgNames({"count", "binary"})
    ->Args({16, 1})
    ->Args({16, 0})
    ->Args({100'000, 0});

}  // namespace
}  // namespace nereid
