#include "config/batching_options.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using std::chrono::microseconds;

BatchingOptions Read(const std::string& text) {
  inference::ModelConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return ReadBatchingOptions(config);
}

TEST(BatchingOptions, KindFollowsTheSchedulingChoice) {
  EXPECT_EQ(Read("").kind, SchedulingKind::kDirect);
  EXPECT_EQ(Read("dynamic_batching { }").kind, SchedulingKind::kDynamic);
  EXPECT_EQ(Read("sequence_batching { }").kind, SchedulingKind::kSequence);
  EXPECT_EQ(Read("ensemble_scheduling { }").kind, SchedulingKind::kEnsemble);
}

TEST(BatchingOptions, CarriesEveryFieldOfDynamicBatching) {
  const BatchingOptions options = Read(R"(
    max_batch_size: 16
    dynamic_batching {
      preferred_batch_size: [ 8, 4, 8 ]
      max_queue_delay_microseconds: 250
      preserve_ordering: true
      priority_levels: 3
      default_priority_level: 2
      default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 7 }
      priority_queue_policy { key: 3 value { allow_timeout_override: true max_queue_size: 5 } }
    })");
  EXPECT_EQ(options.max_batch_size, 16);
  EXPECT_EQ(options.preferred_batch_sizes, (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(options.max_queue_delay, microseconds(250));
  EXPECT_TRUE(options.preserve_ordering);
  EXPECT_EQ(options.priority_levels, 3u);
  EXPECT_EQ(options.default_priority_level, 2u);
  EXPECT_EQ(options.default_queue_policy.timeout_action, QueuePolicy::TimeoutAction::kDelay);
  EXPECT_EQ(options.default_queue_policy.default_timeout, microseconds(7));
  EXPECT_FALSE(options.default_queue_policy.allow_timeout_override);
  ASSERT_EQ(options.level_queue_policies.count(3), 1u);
  const QueuePolicy& third = options.level_queue_policies.at(3);
  EXPECT_EQ(third.timeout_action, QueuePolicy::TimeoutAction::kReject);
  EXPECT_TRUE(third.allow_timeout_override);
  EXPECT_EQ(third.max_queue_size, 5u);
}

TEST(BatchingOptions, EndlessDurationsStayFiniteEnoughToAdd) {
  const BatchingOptions options = Read(R"(dynamic_batching {
      max_queue_delay_microseconds: 18446744073709551615
      default_queue_policy { default_timeout_microseconds: 9223372036854775808 } })");
  const auto now = std::chrono::steady_clock::now();
  EXPECT_GT(now + options.max_queue_delay, now + std::chrono::hours(24 * 365 * 99));
  EXPECT_GT(now + options.default_queue_policy.default_timeout,
            now + std::chrono::hours(24 * 365 * 99));
}

}  // namespace
}  // namespace nereid
