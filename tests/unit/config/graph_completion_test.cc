#include "config/graph_completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/complete.h"
#include "config_test_util.h"

namespace nereid {
namespace {

using ::testing::ElementsAre;
using testing::Parse;
using testing::Text;

GraphTensor Tensor(const char* name, Shape dims, DataType type = DataType::kFp32) {
  return {name, type, std::move(dims)};
}

const GraphDescription kBatching{{Tensor("x", {-1, 3, -1})}, {Tensor("y", {-1, 10})}, {}};
const GraphDescription kFixed{{Tensor("x", {1, 3})}, {Tensor("y", {-1, 10})}, {}};
const GraphDescription kScalars{{Tensor("x", {-1})}, {Tensor("y", {-1})}, {}};

// The configuration after completion; a test whose completion fails fails.
inference::ModelConfig Completed(const std::string& text, const GraphDescription& graph,
                                 int default_max_batch_size = 4) {
  inference::ModelConfig config = testing::ParseNormalized("name: \"m\" " + text);
  const auto proposal = CompleteFromGraph(config, graph, default_max_batch_size);
  EXPECT_TRUE(proposal.ok()) << proposal.status();
  if (proposal.ok()) {
    EXPECT_TRUE(ApplyProposal(*proposal, &config).ok());
  }
  return config;
}

TEST(GraphCanBatch, WantsAnUnknownFirstExtentEverywhere) {
  EXPECT_TRUE(GraphCanBatch(kBatching));
  EXPECT_FALSE(GraphCanBatch(kFixed));
  EXPECT_FALSE(GraphCanBatch({{Tensor("x", {})}, {Tensor("y", {-1})}, {}}));
  EXPECT_TRUE(GraphCanBatch({{Tensor("x", {-1})}, {Tensor("y", {-1})}, {Tensor("init", {2})}}));
}

TEST(CompleteFromGraph, CompletesAModelWithoutConfiguration) {
  const auto config = Completed("", kBatching);
  EXPECT_EQ(config.max_batch_size(), 4);
  EXPECT_EQ(config.input(0).name(), "x");
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_FP32);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(3, -1));
  EXPECT_THAT(config.output(0).dims(), ElementsAre(10));
  EXPECT_THAT(config.dynamic_batching().preferred_batch_size(), ElementsAre(4));
}

TEST(CompleteFromGraph, LeavesACompleteConfigurationAlone) {
  for (const char* text :
       {"max_batch_size: 8 input { name: \"x\" } output { name: \"y\" }",
        "batch_input { target_name: \"x\" } output { name: \"y\" }",
        "max_batch_size: 8 input { name: \"x\" } output { name: \"y\" } # kFixed"}) {
    const auto config = Completed(text, kFixed);
    EXPECT_EQ(config.SerializeAsString(),
              testing::ParseNormalized(std::string("name: \"m\" ") + text).SerializeAsString());
    EXPECT_FALSE(config.has_dynamic_batching()) << text;
  }
}

TEST(CompleteFromGraph, FillsOnlyTheSideThatIsMissing) {
  const auto outputs = Completed("input { name: \"mine\" dims: 7 }", kBatching);
  EXPECT_EQ(outputs.input_size(), 1);
  EXPECT_EQ(outputs.input(0).name(), "mine");
  EXPECT_EQ(outputs.output(0).name(), "y");
  const auto inputs = Completed("output { name: \"mine\" }", kBatching);
  EXPECT_EQ(inputs.output(0).name(), "mine");
  EXPECT_EQ(inputs.input(0).name(), "x");
}

struct BatchRow {
  std::string text;
  int default_max_batch_size;
  int max_batch_size;
  bool dynamic_batching;
};

TEST(CompleteFromGraph, ChoosesBatchSizeAndScheduler) {
  for (const BatchRow& row : {
           BatchRow{"", 4, 4, true},
           BatchRow{"", 1, 1, false},
           BatchRow{"", 0, 0, false},
           BatchRow{"", -5, 0, false},
           BatchRow{"max_batch_size: 0", 4, 4, true},
           BatchRow{"max_batch_size: 16", 4, 16, true},
           BatchRow{"max_batch_size: 1", 4, 1, false},
           BatchRow{"max_batch_size: 16 sequence_batching {}", 4, 16, false},
           BatchRow{"dynamic_batching { max_queue_delay_microseconds: 5 }", 4, 4, true},
       }) {
    const auto config = Completed(row.text, kBatching, row.default_max_batch_size);
    EXPECT_EQ(config.max_batch_size(), row.max_batch_size) << row.text;
    EXPECT_EQ(config.has_dynamic_batching(), row.dynamic_batching) << row.text;
  }
}

TEST(CompleteFromGraph, KeepsAllExtentsOfAModelThatDoesNotBatch) {
  const auto config = Completed("", kFixed);
  EXPECT_EQ(config.max_batch_size(), 0);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(1, 3));
  EXPECT_THAT(config.output(0).dims(), ElementsAre(-1, 10));
  EXPECT_FALSE(config.has_dynamic_batching());
  EXPECT_THAT(Completed("", kBatching, 0).input(0).dims(), ElementsAre(-1, 3, -1));
}

TEST(CompleteFromGraph, RefusesABatchTheGraphCannotTake) {
  const auto proposal = CompleteFromGraph(Parse("name: \"m\" max_batch_size: 2"), kFixed, 4);
  EXPECT_EQ(proposal.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Text(proposal.status()),
            "autofill failed for model 'm': model does not support batching while non-zero "
            "max_batch_size is specified");
}

TEST(CompleteFromGraph, WritesTensorsWithoutExtentsAsOneElement) {
  const auto batched = Completed("", kScalars);
  EXPECT_THAT(batched.input(0).dims(), ElementsAre(1));
  EXPECT_TRUE(batched.input(0).has_reshape());
  EXPECT_THAT(batched.input(0).reshape().shape(), ElementsAre());
  const auto plain = Completed("", {{Tensor("x", {})}, {Tensor("y", {2})}, {}});
  EXPECT_THAT(plain.input(0).dims(), ElementsAre(1));
  EXPECT_FALSE(plain.input(0).has_reshape());
}

TEST(CompleteFromGraph, KeepsTheOrderOfTheGraphAndLeavesOutInitialisers) {
  const auto config = Completed("", {{Tensor("b", {-1, 1}), Tensor("a", {-1, 2}, DataType::kBytes)},
                                     {Tensor("y", {-1, 1})},
                                     {Tensor("init", {1})}});
  ASSERT_EQ(config.input_size(), 2);
  EXPECT_EQ(config.input(0).name(), "b");
  EXPECT_EQ(config.input(1).name(), "a");
  EXPECT_EQ(config.input(1).data_type(), inference::TYPE_STRING);
}

TEST(CompleteFromGraph, IsStableWhenAppliedAgain) {
  auto config = Completed("", kBatching);
  const std::string once = config.SerializeAsString();
  const auto proposal = CompleteFromGraph(config, kBatching, 16);
  ASSERT_TRUE(proposal.ok() && ApplyProposal(*proposal, &config).ok());
  EXPECT_EQ(config.SerializeAsString(), once);
}

TEST(DefaultMaxBatchSize, ReadsTheBackendSetting) {
  EXPECT_EQ(*DefaultMaxBatchSize({}), 4);
  EXPECT_EQ(*DefaultMaxBatchSize({{"default-max-batch-size", "16"}}), 16);
  EXPECT_EQ(DefaultMaxBatchSize({{"default-max-batch-size", "x"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace nereid
