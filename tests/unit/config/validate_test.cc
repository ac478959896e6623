#include "config/validate.h"

#include <gtest/gtest.h>

#include "validate_rows.h"

namespace nereid {
namespace {

using testing::ExpectMessages;
using testing::Model;
using testing::Parse;
using testing::Text;

TEST(ValidateConfig, IdentityMessages) {
  ExpectMessages(
      {
          {R"(backend: "b")", "model configuration must specify 'name'"},
          {R"(name: "m")", "unexpected platform type '' for m"},
          {R"(name: "m" platform: "custom")", "unexpected platform type 'custom' for m"},
          {R"(name: "m" platform: "ensemble" backend: "b")",
           "Ensemble model 'm' must have platform type 'ensemble' and empty backend type"},
          {R"(name: "m" backend: "onnxruntime")",
           "unexpected 'platform' and 'backend' pair, got:, onnxruntime"},
          {R"(name: "m" backend: "onnxruntime" platform: "tensorrt_plan")",
           "unexpected 'platform' and 'backend' pair, got:tensorrt_plan, onnxruntime"},
          {R"(name: "m" backend: "pytorch" platform: "libtorch")",
           "unexpected 'platform' and 'backend' pair, got:libtorch, pytorch"},
          {R"(name: "m" backend: "tensorflow" platform: "x")",
           "unexpected 'platform' and 'backend' pair, got:x, tensorflow"},
          {R"(name: "m" backend: "tensorrt" platform: "x")",
           "unexpected 'platform' and 'backend' pair, got:x, tensorrt"},
          {Model("max_batch_size: -1"), "'max_batch_size' must be non-negative value for m"},
          {Model("default_model_filename: \"../2/model.onnx\""),
           "default_model_filename '../2/model.onnx' lies outside the model's version directory "
           "for m"},
          {Model("default_model_filename: \"/etc/passwd\""),
           "default_model_filename '/etc/passwd' lies outside the model's version directory for m"},
          {Model("cc_model_filenames { key: \"8.0\" value: \"a/../../b\" }"),
           "cc_model_filenames 'a/../../b' lies outside the model's version directory for m"},
          {Model("default_model_filename: \"a/../b/..model\""), ""},
          {Model(""), ""},
          {Model("platform: \"anything\""), ""},
          {R"(name: "m" backend: "pytorch" platform: "torch_aoti")", ""},
          {R"(name: "m" backend: "tensorflow" platform: "tensorflow_graphdef")", ""},
      },
      ValidateConfig);
  EXPECT_EQ(Text(ValidateConfig(Parse(Model("")))), "must specify 'version policy' for m");
}

TEST(ValidateConfig, DynamicBatchingMessages) {
  const std::string ordered = "max_batch_size: 4 dynamic_batching { preserve_ordering: true ";
  const std::string levels = "dynamic_batching { priority_levels: 2 default_priority_level: ";
  ExpectMessages(
      {
          {Model("max_batch_size: 4 dynamic_batching { preferred_batch_size: [ 4, 0 ] }"),
           "dynamic batching preferred size must be positive for m"},
          {Model("max_batch_size: 4 dynamic_batching { preferred_batch_size: 5 }"),
           "dynamic batching preferred size must be <= max batch size for m"},
          {Model("dynamic_batching { preferred_batch_size: 1 }"),
           "dynamic batching preferred size must be <= max batch size for m"},
          {Model("dynamic_batching { priority_levels: 2 }"),
           "default priority level must be in range [1, 2] for m"},
          {Model(levels + "3 }"), "default priority level must be in range [1, 2] for m"},
          {Model(levels + "1 priority_queue_policy { key: 0 value {} } }"),
           "priority queue policy must have priority level in range [1, 2] for m"},
          {Model(levels + "1 priority_queue_policy { key: 3 value {} } }"),
           "priority queue policy must have priority level in range [1, 2] for m"},
          {Model(ordered + "priority_levels: 2 default_priority_level: 1 }"),
           "Only one priority level is allowed when 'preserve_ordering' is true for m"},
          {Model(
               ordered +
               "default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 1 } }"),
           "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for "
           "m"},
          {Model(ordered +
                 "priority_levels: 1 default_priority_level: 1 priority_queue_policy { key: 1 "
                 "value { timeout_action: DELAY default_timeout_microseconds: 1 } } }"),
           "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for "
           "m"},
          {Model(ordered + "default_queue_policy { timeout_action: DELAY } }"), ""},
          {Model(levels + "2 priority_queue_policy { key: 1 value {} } }"), ""},
          {Model("dynamic_batching { priority_queue_policy { key: 9 value {} } }"), ""},
          {Model("dynamic_batching {}"), ""},
      },
      ValidateConfig);
}

TEST(ValidateConfig, ResponseCacheMessages) {
  ExpectMessages(
      {
          {Model("sequence_batching {} response_cache { enable: true }"),
           "Response Cache does not currently support model m with sequence batching scheduler. "
           "Please disable the response cache."},
          {Model("model_transaction_policy { decoupled: true } response_cache { enable: true }"),
           "Response Cache does not currently support model m with 'decoupled' transaction policy. "
           "Please disable the response cache."},
          {Model("response_cache { enable: true }"), ""},
          {Model("sequence_batching {} response_cache {}"), ""},
      },
      ValidateConfig);
}

TEST(ValidateConfig, MetricMessages) {
  const std::string family = "metric_identifier { family: \"f\" } ";
  ExpectMessages(
      {
          {Model("model_metrics { metric_control {} }"),
           "metric control must specify 'metric_identifier'"},
          {Model("model_metrics { metric_control { metric_identifier {} } }"),
           "metric identifier must specify non-empty 'family'"},
          {Model("model_metrics { metric_control { " + family + "} }"),
           "metric control must specify 'histogram_options'"},
          {Model("model_metrics { metric_control { " + family + "histogram_options {} } }"),
           "histogram options must specify non-empty 'buckets'"},
          {Model("model_metrics { metric_control { " + family +
                 "histogram_options { buckets: 1 } } }"),
           ""},
          {Model("model_metrics {}"), ""},
      },
      ValidateConfig);
}

TEST(ValidateConfig, RefusesEnumNumbersNobodyKnows) {
  ExpectMessages(
      {
          {Model("input { data_type: 99 }"),
           "'data_type' has the unknown value 99 of DataType for m"},
          {Model("instance_group { kind: 7 }"), "'kind' has the unknown value 7 of Kind for m"},
          {Model("dynamic_batching { default_queue_policy { timeout_action: 5 } }"),
           "'timeout_action' has the unknown value 5 of TimeoutAction for m"},
          {Model("model_warmup { inputs { key: \"x\" value { data_type: -1 } } }"),
           "'data_type' has the unknown value -1 of DataType for m"},
      },
      ValidateConfig);
}

TEST(ValidateDirectoryName, WantsTheModelsOwnName) {
  const inference::ModelConfig config = Parse(R"(name: "m")");
  EXPECT_TRUE(ValidateDirectoryName(config, "m").ok());
  EXPECT_EQ(Text(ValidateDirectoryName(config, "d")),
            "unexpected directory name 'd' for model 'm', directory name must equal model name");
}

}  // namespace
}  // namespace nereid
