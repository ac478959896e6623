#include "config/config_json.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "config_test_util.h"

namespace nereid {
namespace {

using nlohmann::json;
using testing::Parse;
using testing::ParseNormalized;

std::set<std::string> Keys(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

constexpr char kPlainModel[] = R"(
  name: "m" backend: "identity" max_batch_size: 8
  input { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] }
  output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] }
  dynamic_batching { }
  instance_group { name: "m_0" kind: KIND_CPU count: 1 })";

TEST(ConfigToJson, PrintsAPlainModelAsClientsKnowIt) {
  const json expected = json::parse(R"({
    "name":"m","platform":"","backend":"identity","runtime":"",
    "version_policy":{"latest":{"num_versions":1}},"max_batch_size":8,
    "input":[{"name":"INPUT0","data_type":"TYPE_FP32","format":"FORMAT_NONE","dims":[-1],
              "is_shape_tensor":false,"allow_ragged_batch":false,"optional":false,
              "is_non_linear_format_io":false}],
    "output":[{"name":"OUTPUT0","data_type":"TYPE_FP32","dims":[-1],"label_filename":"",
               "is_shape_tensor":false,"is_non_linear_format_io":false}],
    "batch_input":[],"batch_output":[],
    "optimization":{"priority":"PRIORITY_DEFAULT","input_pinned_memory":{"enable":true},
                    "output_pinned_memory":{"enable":true},"gather_kernel_buffer_threshold":0,
                    "eager_batching":false},
    "dynamic_batching":{"preferred_batch_size":[8],"max_queue_delay_microseconds":0,
                        "preserve_ordering":false,"priority_levels":0,"default_priority_level":0,
                        "priority_queue_policy":{}},
    "instance_group":[{"name":"m_0","kind":"KIND_CPU","count":1,"gpus":[],"secondary_devices":[],
                       "profile":[],"passive":false,"host_policy":""}],
    "default_model_filename":"","cc_model_filenames":{},"metric_tags":{},"parameters":{},
    "model_warmup":[]})");
  EXPECT_EQ(json::parse(ConfigToJson(ParseNormalized(kPlainModel))), expected);
}

TEST(ConfigToJson, PrintsKeysInTheOrderOfDeclaration) {
  const std::string text = ConfigToJson(ParseNormalized(kPlainModel));
  size_t last = 0;
  for (const char* key : {"\"name\":", "\"platform\":", "\"backend\":", "\"version_policy\":",
                          "\"max_batch_size\":", "\"input\":", "\"optimization\":",
                          "\"dynamic_batching\":", "\"instance_group\":", "\"model_warmup\":"}) {
    const size_t at = text.find(key, last);
    ASSERT_NE(at, std::string::npos) << key;
    last = at;
  }
}

TEST(ConfigToJson, LeavesOutWhatIsUnset) {
  const json object = json::parse(ConfigToJson(Parse("name: \"m\"")));
  for (const char* absent : {"optimization", "dynamic_batching", "sequence_batching",
                             "ensemble_scheduling", "version_policy", "model_operations",
                             "model_transaction_policy", "response_cache", "model_metrics"}) {
    EXPECT_FALSE(object.contains(absent)) << absent;
  }
  const json warmup = json::parse(
      ConfigToJson(Parse(R"(model_warmup { inputs { key: "a" value { zero_data: false } } })")));
  EXPECT_EQ(Keys(warmup["model_warmup"][0]["inputs"]["a"]),
            (std::set<std::string>{"data_type", "dims", "zero_data"}));
}

TEST(ConfigToJson, PrintsWideIntegersAsNumbersExceptThreeFields) {
  const json object = json::parse(ConfigToJson(Parse(R"(
    input { dims: 9007199254740993 }
    version_policy { specific { versions: [ 1, 3 ] } }
    dynamic_batching { max_queue_delay_microseconds: 18446744073709551615
                       priority_queue_policy { key: 2 value { max_queue_size: 7 } } }
    instance_group { secondary_devices { device_id: 5 } }
    optimization { cuda { graph_spec { input { key: "x" value { dim: [ 6 ] } } } } })")));
  EXPECT_EQ(object["input"][0]["dims"][0], 9007199254740993);
  EXPECT_EQ(object["version_policy"]["specific"]["versions"], json({1, 3}));
  EXPECT_EQ(object["dynamic_batching"]["max_queue_delay_microseconds"], 18446744073709551615u);
  EXPECT_EQ(object["dynamic_batching"]["priority_queue_policy"]["2"]["max_queue_size"], 7);
  EXPECT_EQ(object["instance_group"][0]["secondary_devices"][0]["device_id"], "5");
  EXPECT_EQ(object["optimization"]["cuda"]["graph_spec"][0]["input"]["x"]["dim"], json({"6"}));
  const json states = json::parse(
      ConfigToJson(Parse("sequence_batching { state { dims: 4 initial_state { dims: 4 } } }")));
  EXPECT_EQ(states["sequence_batching"]["state"][0]["dims"], json({4}));
  EXPECT_EQ(states["sequence_batching"]["state"][0]["initial_state"][0]["dims"], json({"4"}));
}

TEST(ConfigToJson, EscapesTextAndSortsMaps) {
  const std::string text = ConfigToJson(Parse(
      R"(name: "a\"\\\n\001é" metric_tags { key: "z" value: "1" } metric_tags { key: "b" value: "2" })"));
  EXPECT_EQ(json::parse(text)["name"], "a\"\\\n\001é");
  EXPECT_THAT(text, ::testing::HasSubstr(R"("metric_tags":{"b":"2","z":"1"})"));
}

TEST(ConfigToJson, PrintsTheLastValueOfAKeyWrittenTwice) {
  const std::string text = ConfigToJson(
      Parse(R"(metric_tags { key: "k" value: "1" } metric_tags { key: "k" value: "2" })"));
  EXPECT_THAT(text, ::testing::HasSubstr(R"("metric_tags":{"k":"2"})"));
}

TEST(ConfigToJson, PrintsFloatsShortestAndTheRestAsText) {
  const json object = json::parse(ConfigToJson(Parse(R"(sequence_batching {
    direct { minimum_slot_utilization: 0.1 }
    control_input { control { fp32_false_true: [ nan, inf, -inf, 1 ] } } })")));
  EXPECT_THAT(ConfigToJson(Parse("model_metrics { metric_control { histogram_options { "
                                 "buckets: [ -0, 5e-324, 0.1 ] } } }")),
              ::testing::HasSubstr("[-0.0,5e-324,0.1]"));
  const json& batching = object["sequence_batching"];
  EXPECT_EQ(batching["direct"]["minimum_slot_utilization"], 0.1);
  EXPECT_EQ(batching["control_input"][0]["control"][0]["fp32_false_true"],
            json({"NaN", "Infinity", "-Infinity", 1}));
}

TEST(ConfigToJson, PrintsUnknownEnumNumbersAsNumbers) {
  EXPECT_EQ(json::parse(ConfigToJson(Parse("input { data_type: 77 }")))["input"][0]["data_type"],
            77);
}

TEST(ConfigToJson, ReadsBackAsTheSameConfiguration) {
  const inference::ModelConfig config = ParseNormalized(kPlainModel);
  const auto again = ParseConfigJson(ConfigToJson(config));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(config, *again));
}

}  // namespace
}  // namespace nereid
