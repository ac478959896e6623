#include "config/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_test_util.h"

namespace nereid {
namespace {

using ::testing::HasSubstr;
using testing::Parse;
using testing::Text;

TEST(PrepareConfig, TurnsAFolderWithOnlyAModelIntoAConfiguration) {
  inference::ModelConfig config;
  ASSERT_TRUE(PrepareConfig({.directory_name = "ocr"}, {{"model.onnx"}, {}}, &config).ok());
  EXPECT_EQ(config.name(), "ocr");
  EXPECT_EQ(config.backend(), "onnxruntime");
  EXPECT_TRUE(config.has_version_policy());
}

TEST(PrepareConfig, ChecksTensorsNowWhenNothingWillCompleteThem) {
  const std::string text = R"(backend: "b" input { name: "x" })";
  inference::ModelConfig config = Parse(text);
  EXPECT_TRUE(PrepareConfig({.directory_name = "m"}, {}, &config).ok());
  config = Parse(text);
  EXPECT_EQ(Text(PrepareConfig({.directory_name = "m", .auto_complete = false}, {}, &config)),
            "model input 'x' must specify 'data_type' for m");
}

TEST(PrepareConfig, ComparesTheNameUnlessItIsMapped) {
  inference::ModelConfig config = Parse(R"(name: "other" backend: "b")");
  EXPECT_THAT(Text(PrepareConfig({.directory_name = "m"}, {}, &config)),
              HasSubstr("unexpected directory name 'm'"));
  EXPECT_TRUE(
      PrepareConfig({.directory_name = "m", .check_directory_name = false}, {}, &config).ok());
}

TEST(PrepareConfig, StopsAtTheFirstFailingStep) {
  inference::ModelConfig config = Parse(R"(name: "other" max_batch_size: -1)");
  EXPECT_THAT(Text(PrepareConfig({.directory_name = "m"}, {}, &config)),
              HasSubstr("Could not determine backend"));
  config = Parse(R"(name: "other" backend: "b" max_batch_size: -1)");
  EXPECT_THAT(Text(PrepareConfig({.directory_name = "m"}, {}, &config)),
              HasSubstr("'max_batch_size'"));
}

TEST(FinishConfig, AppliesValidatesAndRefusesWhatIsNotBuilt) {
  inference::ModelConfig config = testing::ParseNormalized(R"(name: "m" backend: "b")");
  TensorSpec spec;
  spec.name = "x";
  spec.data_type = DataType::kFp32;
  ConfigProposal proposal{.max_batch_size = 2, .inputs = {spec}, .outputs = {}, .decoupled = {}};
  EXPECT_EQ(Text(FinishConfig(proposal, &config)), "model input 'x' must specify 'dims' for m");
  proposal.inputs[0].dims = {4};
  EXPECT_TRUE(FinishConfig(proposal, &config).ok());
  EXPECT_EQ(config.max_batch_size(), 2);
  config.mutable_sequence_batching();
  EXPECT_EQ(FinishConfig({}, &config).code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace nereid
