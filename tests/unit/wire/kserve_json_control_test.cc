#include "wire/kserve_json_control.h"

#include <gtest/gtest.h>

#include "support/config_text.h"

namespace nereid {
namespace {

using testing::ConfigFromText;

TEST(ModelMetadataJson, BatchingModelsShowTheBatchDimension) {
  const auto config = ConfigFromText(R"(
    name: "m" backend: "identity" max_batch_size: 4
    input { name: "IN" data_type: TYPE_STRING dims: [ -1, 3 ] }
    input { name: "IN2" data_type: TYPE_BF16 dims: 1 }
    output { name: "OUT" data_type: TYPE_FP32 dims: 2 })");
  EXPECT_EQ(ModelMetadataJson(*config, {1, 12}),
            R"({"name":"m","versions":["1","12"],"platform":"identity",)"
            R"("inputs":[{"name":"IN","datatype":"BYTES","shape":[-1,-1,3]},)"
            R"({"name":"IN2","datatype":"BF16","shape":[-1,1]}],)"
            R"("outputs":[{"name":"OUT","datatype":"FP32","shape":[-1,2]}]})");
}

TEST(ModelMetadataJson, PlatformComesBeforeBackend) {
  const auto config = ConfigFromText(
      R"(name: "m" platform: "onnxruntime_onnx" backend: "onnxruntime"
         output { name: "OUT" data_type: TYPE_FP32 dims: 2 })");
  EXPECT_EQ(ModelMetadataJson(*config, {}),
            R"({"name":"m","versions":[],"platform":"onnxruntime_onnx","inputs":[],)"
            R"("outputs":[{"name":"OUT","datatype":"FP32","shape":[2]}]})");
}

TEST(ModelStatisticsJson, EveryCounterHasItsKey) {
  ModelStatistics::Snapshot snapshot;
  snapshot.last_inference_ms = 1;
  snapshot.inference_count = 2;
  snapshot.execution_count = 3;
  snapshot.success = {4, 5};
  snapshot.fail = {6, 7};
  snapshot.queue = {8, 9};
  snapshot.compute_input = {10, 11};
  snapshot.compute_infer = {12, 13};
  snapshot.compute_output = {14, 15};
  snapshot.cache_hit = {16, 17};
  snapshot.cache_miss = {18, 19};
  snapshot.batches = {{4, {20, 21}, {22, 23}, {24, 25}}, {8, {}, {}, {}}};
  snapshot.responses = {{0, {26, 27}, {28, 29}, {30, 31}, {32, 33}, {34, 35}, {36, 37}}};
  MemoryEstimate memory;
  memory.items = {
      {{MemoryKind::kCpu, 0}, 38}, {{MemoryKind::kPinned, 0}, 39}, {{MemoryKind::kGpu, 1}, 40}};
  std::string json;
  AppendModelStatistics("m", 7, snapshot, memory, &json);
  EXPECT_EQ(json, R"({"name":"m","version":"7","last_inference":1,"inference_count":2,)"
                  R"("execution_count":3,"inference_stats":{)"
                  R"("success":{"count":4,"ns":5},"fail":{"count":6,"ns":7},)"
                  R"("queue":{"count":8,"ns":9},"compute_input":{"count":10,"ns":11},)"
                  R"("compute_infer":{"count":12,"ns":13},"compute_output":{"count":14,"ns":15},)"
                  R"("cache_hit":{"count":16,"ns":17},"cache_miss":{"count":18,"ns":19}},)"
                  R"("response_stats":{"0":{"compute_infer":{"count":26,"ns":27},)"
                  R"("compute_output":{"count":28,"ns":29},"success":{"count":30,"ns":31},)"
                  R"("fail":{"count":32,"ns":33},"empty_response":{"count":34,"ns":35},)"
                  R"("cancel":{"count":36,"ns":37}}},)"
                  R"("batch_stats":[{"batch_size":4,"compute_input":{"count":20,"ns":21},)"
                  R"("compute_infer":{"count":22,"ns":23},"compute_output":{"count":24,"ns":25}},)"
                  R"({"batch_size":8,"compute_input":{"count":0,"ns":0},)"
                  R"("compute_infer":{"count":0,"ns":0},"compute_output":{"count":0,"ns":0}}],)"
                  R"("memory_usage":[{"type":"CPU","id":0,"byte_size":38},)"
                  R"({"type":"CPU_PINNED","id":0,"byte_size":39},)"
                  R"({"type":"GPU","id":1,"byte_size":40}]})");
}

TEST(ModelStatisticsJson, NothingToReportGivesEmptyContainers) {
  std::string json;
  AppendModelStatistics("m", 1, {}, {}, &json);
  EXPECT_NE(json.find(R"("response_stats":{},"batch_stats":[],"memory_usage":[]})"),
            std::string::npos);
}

}  // namespace
}  // namespace nereid
