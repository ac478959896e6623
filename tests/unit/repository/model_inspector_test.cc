#include "repository/model_inspector.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/model_config.pb.h"
#include "support/temp_directory.h"

namespace nereid {
namespace {

class ModelInspectorTest : public ::testing::Test {
 protected:
  ModelFolder Folder(std::vector<int64_t> versions = {1}) const {
    return {directory_.path() + "/m", std::move(versions), nullptr};
  }
  absl::StatusOr<InspectedModel> Inspect(const InspectOptions& options = {},
                                         const std::string& json = "") const {
    return InspectModel(options, "m", Folder({1, 2, 3}), json);
  }
  const testing::TempDirectory directory_;
};

TEST_F(ModelInspectorTest, ReadsTheConfigurationAndSelectsVersions) {
  directory_.Write("m/config.pbtxt",
                   "backend: \"fake\" version_policy { latest { num_versions: 2 } }");
  const auto model = Inspect();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config->name(), "m");
  EXPECT_TRUE(model->config_was_provided);
  EXPECT_EQ(model->serve, (std::vector<int64_t>{2, 3}));
}

TEST_F(ModelInspectorTest, WithoutAPolicyTheLatestVersionServes) {
  directory_.Write("m/config.pbtxt", "backend: \"fake\"");
  EXPECT_EQ(Inspect()->serve, (std::vector<int64_t>{3}));
}

TEST_F(ModelInspectorTest, AModelWithoutConfigurationIsLeftToCompletion) {
  directory_.Write("m/3/model.onnx", "");
  const auto model = Inspect();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_FALSE(model->config_was_provided);
  EXPECT_EQ(model->config->backend(), "onnxruntime");
}

TEST_F(ModelInspectorTest, WithoutCompletionTheConfigurationMustBeThere) {
  directory_.Write("m/3/model.onnx", "");
  const auto model = Inspect({.config_name = "", .auto_complete = false});
  EXPECT_NE(model.status().ToString().find("failed to open text file for read"), std::string::npos);
}

TEST_F(ModelInspectorTest, PrefersTheNamedAlternative) {
  directory_.Write("m/config.pbtxt", "backend: \"fake\" max_batch_size: 1");
  directory_.Write("m/configs/fast.pbtxt", "backend: \"fake\" max_batch_size: 8");
  EXPECT_EQ(Inspect({.config_name = "fast"})->config->max_batch_size(), 8);
  EXPECT_EQ(Inspect({.config_name = "slow"})->config->max_batch_size(), 1);
}

TEST_F(ModelInspectorTest, JsonReplacesTheFileEntirely) {
  directory_.Write("m/config.pbtxt",
                   "backend: \"fake\" max_batch_size: 1 version_policy { all {} }");
  const auto model = Inspect({}, R"({"backend":"other"})");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config->backend(), "other");
  EXPECT_EQ(model->config->max_batch_size(), 0);
  EXPECT_EQ(model->serve, (std::vector<int64_t>{3}));
}

TEST_F(ModelInspectorTest, AnotherNameThanTheFoldersIsRefused) {
  directory_.Write("m/config.pbtxt", "name: \"n\" backend: \"fake\"");
  EXPECT_EQ(Inspect().status().message(),
            "unexpected directory name 'm' for model 'n', directory name must equal model name");
}

TEST_F(ModelInspectorTest, OnlyTheVersionPolicyIsIgnoredWhenComparing) {
  inference::ModelConfig a, b;
  a.set_name("m");
  b.set_name("m");
  b.mutable_version_policy()->mutable_all();
  EXPECT_TRUE(SameButForVersionPolicy(a, b));
  b.set_max_batch_size(2);
  EXPECT_FALSE(SameButForVersionPolicy(a, b));
}

}  // namespace
}  // namespace nereid
