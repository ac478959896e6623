#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/batching_options.h"
#include "nereid/request.h"
#include "support/config_text.h"
#include "support/fake_sink.h"
#include "support/manual_clock.h"

namespace nereid::testing {

// What a test wants to be different about a request.
struct RequestSpec {
  std::string id{};
  int64_t rows = 1;
  uint64_t priority = 0;
  std::chrono::microseconds timeout{0};
  TimePoint deadline = TimePoint::max();
};

// A request as validation leaves it, and the record of its answers.
struct TestRequest {
  std::unique_ptr<InferRequest> request;
  std::shared_ptr<SinkRecord> record = std::make_shared<SinkRecord>();
};

inline TestRequest MakeRequest(const RequestSpec& spec = {}, std::function<void()> on_final = {}) {
  TestRequest made;
  made.request =
      std::make_unique<InferRequest>(std::make_unique<FakeSink>(made.record, std::move(on_final)));
  made.request->id = spec.id;
  made.request->batch_size = spec.rows;
  made.request->priority = spec.priority;
  made.request->timeout = spec.timeout;
  made.request->deadline = spec.deadline;
  return made;
}

// An input of `spec`'s type that is `shape` large; it has no data.
inline void AddInput(InferRequest& request, const TensorSpec& spec, Shape shape) {
  InferRequest::Input& input = request.inputs.emplace_back();
  input.name = spec.name;
  input.data_type = spec.data_type;
  input.shape = std::move(shape);
  input.spec = &spec;
}

inline BatchingOptions DynamicOptions(int64_t max_batch_size, std::vector<int64_t> preferred = {},
                                      std::chrono::microseconds delay = {}) {
  BatchingOptions options;
  options.kind = SchedulingKind::kDynamic;
  options.max_batch_size = max_batch_size;
  options.preferred_batch_sizes = std::move(preferred);
  options.max_queue_delay = delay;
  return options;
}

// A model whose requests may always share a batch.
inline std::shared_ptr<const ModelConfig> FixedShapeModel() {
  return ConfigFromText(R"(name: "m" backend: "identity" max_batch_size: 64
    input { name: "A" data_type: TYPE_FP32 dims: [ 4 ] }
    output { name: "Y" data_type: TYPE_FP32 dims: [ 4 ] })");
}

// A model whose requests share a batch when their input has the same length.
inline std::shared_ptr<const ModelConfig> VariableShapeModel() {
  return ConfigFromText(R"(name: "m" backend: "identity" max_batch_size: 64
    input { name: "A" data_type: TYPE_FP32 dims: [ -1 ] }
    output { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] })");
}

}  // namespace nereid::testing
