#include "config/complete.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_test_util.h"

namespace nereid {
namespace {

using ::testing::ElementsAre;
using testing::Parse;
using testing::Text;

TensorSpec Spec(const char* name, Shape dims) {
  TensorSpec spec;
  spec.name = name;
  spec.data_type = DataType::kFp32;
  spec.dims = std::move(dims);
  return spec;
}

TEST(ApplyProposal, CopiesWhatABackendMayDecide) {
  inference::ModelConfig config = Parse(R"(name: "m" backend: "b")");
  ConfigProposal proposal;
  proposal.max_batch_size = 8;
  proposal.inputs = {Spec("x", {3, -1})};
  proposal.inputs[0].optional = true;
  proposal.inputs[0].allow_ragged_batch = true;
  proposal.outputs = {Spec("y", {1})};
  proposal.outputs[0].reshape.emplace();
  proposal.enable_dynamic_batching = true;
  proposal.decoupled = true;
  ASSERT_TRUE(ApplyProposal(proposal, &config).ok());
  EXPECT_EQ(config.max_batch_size(), 8);
  EXPECT_EQ(config.input(0).name(), "x");
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_FP32);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(3, -1));
  EXPECT_TRUE(config.input(0).optional());
  EXPECT_TRUE(config.input(0).allow_ragged_batch());
  EXPECT_FALSE(config.input(0).has_reshape());
  EXPECT_TRUE(config.output(0).has_reshape());
  EXPECT_THAT(config.output(0).reshape().shape(), ElementsAre());
  EXPECT_TRUE(config.model_transaction_policy().decoupled());
  // Normalised again.
  EXPECT_THAT(config.dynamic_batching().preferred_batch_size(), ElementsAre(8));
}

TEST(ApplyProposal, KeepsWhatTheProposalDoesNotSet) {
  inference::ModelConfig config = testing::ParseNormalized(R"(
      name: "m" max_batch_size: 2 input { name: "x" } output { name: "y" } dynamic_batching {})");
  const std::string before = config.SerializeAsString();
  ASSERT_TRUE(ApplyProposal({}, &config).ok());
  EXPECT_EQ(config.SerializeAsString(), before);
}

TEST(ApplyProposal, RefusesToChangeTheScheduler) {
  ConfigProposal proposal;
  proposal.enable_dynamic_batching = true;
  inference::ModelConfig config = Parse(R"(name: "m" sequence_batching {})");
  const absl::Status status = ApplyProposal(proposal, &config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(Text(status), ::testing::StartsWith("Cannot update scheduling choice from"));
  EXPECT_TRUE(config.has_sequence_batching());
}

TEST(ApplyProposal, KeepsTheUsersDynamicBatcher) {
  ConfigProposal proposal;
  proposal.enable_dynamic_batching = true;
  inference::ModelConfig config =
      Parse("max_batch_size: 4 dynamic_batching { preferred_batch_size: 2 }");
  ASSERT_TRUE(ApplyProposal(proposal, &config).ok());
  EXPECT_THAT(config.dynamic_batching().preferred_batch_size(), ElementsAre(2));
}

TEST(ApplyProposal, RefusesABatchSizeThatDoesNotFit) {
  for (const int64_t size : {int64_t{-1}, int64_t{1} << 31}) {
    ConfigProposal proposal;
    proposal.max_batch_size = size;
    inference::ModelConfig config;
    EXPECT_FALSE(ApplyProposal(proposal, &config).ok()) << size;
  }
}

TEST(NeedsCompletion, IsTrueWhileASideIsMissing) {
  EXPECT_TRUE(NeedsCompletion(Parse("")));
  EXPECT_TRUE(NeedsCompletion(Parse("input {}")));
  EXPECT_TRUE(NeedsCompletion(Parse("output {}")));
  EXPECT_FALSE(NeedsCompletion(Parse("input {} output {}")));
  EXPECT_FALSE(NeedsCompletion(Parse("batch_input {} output {}")));
}

}  // namespace
}  // namespace nereid
