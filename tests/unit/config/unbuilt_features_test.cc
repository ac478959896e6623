#include "config/unbuilt_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_test_util.h"

namespace nereid {
namespace {

using ::testing::HasSubstr;
using testing::Parse;
using testing::Text;

struct Row {
  std::string text, feature;
};

TEST(CheckSupported, NamesTheFeatureAModelNeeds) {
  for (const Row& row : {
           Row{"sequence_batching {}", "sequence_batching"},
           Row{"platform: \"ensemble\"", "ensemble_scheduling"},
           Row{"ensemble_scheduling {}", "ensemble_scheduling"},
           Row{"response_cache { enable: true }", "response_cache"},
           Row{"model_repository_agents { agents { name: \"a\" } }", "model_repository_agents"},
           Row{"model_operations { op_library_filename: \"l.so\" }", "model_operations"},
           Row{"instance_group { secondary_devices {} }", "instance_group.secondary_devices"},
           Row{"parameters { key: \"TRITON_BATCH_STRATEGY_PATH\" value {} }",
               "parameters.TRITON_BATCH_STRATEGY_PATH"},
       }) {
    const absl::Status status = CheckSupported(Parse("name: \"m\" " + row.text));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << row.text;
    EXPECT_EQ(Text(status),
              "model 'm' needs " + row.feature + ", which this version does not support");
  }
}

TEST(CheckSupported, NamesAllOfThem) {
  const absl::Status status =
      CheckSupported(Parse("sequence_batching {} instance_group { secondary_devices {} }"));
  EXPECT_THAT(Text(status), HasSubstr("sequence_batching, instance_group.secondary_devices"));
}

TEST(CheckSupported, AcceptsWhatIsBuilt) {
  EXPECT_TRUE(CheckSupported(Parse(R"(
      max_batch_size: 4 dynamic_batching { priority_levels: 2 default_priority_level: 1 }
      model_warmup { name: "w" } response_cache {} instance_group { rate_limiter {} }
      input { allow_ragged_batch: true } model_transaction_policy { decoupled: true })"))
                  .ok());
}

TEST(SettingsWithoutEffect, NamesTheRateLimiterOnlyWhereItIsUsed) {
  EXPECT_THAT(SettingsWithoutEffect(Parse("instance_group { rate_limiter { priority: 1 } }")),
              ::testing::ElementsAre("instance_group.rate_limiter"));
  EXPECT_THAT(
      SettingsWithoutEffect(Parse("instance_group { rate_limiter { resources { name: \"r\" } } }")),
      ::testing::SizeIs(1));
  EXPECT_TRUE(SettingsWithoutEffect(Parse("instance_group { rate_limiter {} }")).empty());
}

TEST(SettingsWithoutEffect, NamesEachThatIsSet) {
  for (const Row& row : {
           Row{"instance_group { host_policy: \"p\" }", "instance_group.host_policy"},
           Row{"cc_model_filenames { key: \"8.0\" value: \"f\" }", "cc_model_filenames"},
           Row{"optimization { priority: PRIORITY_MAX }", "optimization.priority"},
           Row{"optimization { cuda { graphs: true } }", "optimization.cuda"},
           Row{"optimization { eager_batching: true }", "optimization.eager_batching"},
           Row{"optimization { gather_kernel_buffer_threshold: 8 }",
               "optimization.gather_kernel_buffer_threshold"},
           Row{"model_metrics { metric_control { metric_identifier { family: \"f\" } } }",
               "model_metrics.metric_control of family 'f'"},
       }) {
    EXPECT_THAT(SettingsWithoutEffect(Parse(row.text)), ::testing::ElementsAre(row.feature));
  }
  EXPECT_TRUE(SettingsWithoutEffect(Parse(R"(
      max_batch_size: 4 dynamic_batching {} instance_group { kind: KIND_CPU }
      optimization { graph { level: 1 } input_pinned_memory { enable: true } }
      model_metrics { metric_control {
        metric_identifier { family: "nv_inference_first_response_histogram_ms" }
        histogram_options { buckets: [ 1 ] } } })"))
                  .empty());
}

}  // namespace
}  // namespace nereid
