#include "config/normalize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_test_util.h"

namespace nereid {
namespace {

using ::testing::ElementsAre;
using testing::ParseNormalized;

TEST(NormalizeConfig, ServesTheNewestVersionWhenNoPolicyIsWritten) {
  EXPECT_EQ(ParseNormalized("").version_policy().latest().num_versions(), 1u);
  EXPECT_EQ(
      ParseNormalized("version_policy { latest {} }").version_policy().latest().num_versions(), 0u);
  EXPECT_EQ(ParseNormalized("version_policy {}").version_policy().policy_choice_case(),
            inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET);
}

TEST(NormalizeConfig, PrefersTheLargestBatchWhenNoneIsWritten) {
  EXPECT_THAT(ParseNormalized("max_batch_size: 8 dynamic_batching {}")
                  .dynamic_batching()
                  .preferred_batch_size(),
              ElementsAre(8));
  EXPECT_THAT(ParseNormalized("max_batch_size: 8 dynamic_batching { preferred_batch_size: 2 }")
                  .dynamic_batching()
                  .preferred_batch_size(),
              ElementsAre(2));
  EXPECT_THAT(ParseNormalized("dynamic_batching {}").dynamic_batching().preferred_batch_size(),
              ElementsAre());
  EXPECT_FALSE(ParseNormalized("max_batch_size: 8").has_dynamic_batching());
}

TEST(NormalizeConfig, FillsSequenceBatching) {
  const auto batching =
      ParseNormalized("max_batch_size: 4 sequence_batching { oldest {} }").sequence_batching();
  EXPECT_EQ(batching.max_sequence_idle_microseconds(), 1000000u);
  EXPECT_THAT(batching.oldest().preferred_batch_size(), ElementsAre(4));
  EXPECT_FALSE(ParseNormalized("sequence_batching {}").sequence_batching().has_oldest());
}

TEST(NormalizeConfig, PinsMemoryUnlessTheUserSaysOtherwise) {
  const auto absent = ParseNormalized("").optimization();
  EXPECT_TRUE(absent.input_pinned_memory().enable());
  EXPECT_TRUE(absent.output_pinned_memory().enable());
  const auto empty = ParseNormalized("optimization { input_pinned_memory {} }").optimization();
  EXPECT_FALSE(empty.input_pinned_memory().enable());
  EXPECT_TRUE(empty.output_pinned_memory().enable());
}

TEST(NormalizeConfig, LeavesEnsemblesWithoutOptimization) {
  EXPECT_FALSE(ParseNormalized("platform: \"ensemble\"").has_optimization());
}

TEST(NormalizeConfig, IsIdempotent) {
  for (const char* text : {"", "max_batch_size: 8 dynamic_batching {}", "version_policy {}",
                           "max_batch_size: 4 sequence_batching { oldest {} }",
                           "platform: \"ensemble\"", "optimization { input_pinned_memory {} }"}) {
    inference::ModelConfig config = ParseNormalized(text);
    const std::string once = config.SerializeAsString();
    NormalizeConfig(&config);
    EXPECT_EQ(config.SerializeAsString(), once) << text;
  }
}

}  // namespace
}  // namespace nereid
