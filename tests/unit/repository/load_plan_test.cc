#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "proto/model_config.pb.h"
#include "repository/load_operation.h"

namespace nereid {
namespace {

class LoadPlanTest : public ::testing::Test {
 protected:
  LoadPlanTest() {
    model_.folder = {"/repo/m", {1, 2}, nullptr};
    model_.config = std::make_shared<const inference::ModelConfig>();
    model_.serve = {1, 2};
    token_ = {.config = 1, .shared = 1, .versions = {{1, 1}, {2, 1}}, .folder = 1};
    previous_ = LoadedModel{token_, model_.config};
  }
  std::vector<int64_t> Loads(bool replaced = false) {
    const LoadPlan plan = PlanLoad({"", "m"}, model_, token_, previous_, serving_, replaced);
    std::vector<int64_t> versions;
    for (const LoadRequest& request : plan.load) versions.push_back(request.version);
    EXPECT_EQ(plan.keep.size() + versions.size(), model_.serve.size());
    return versions;
  }

  const std::vector<int64_t> all_ = {1, 2};
  const std::vector<int64_t> none_;
  InspectedModel model_;
  ChangeToken token_;
  std::optional<LoadedModel> previous_;
  std::set<int64_t> serving_ = {1, 2};
};

TEST_F(LoadPlanTest, EverythingLoadsTheFirstTime) {
  previous_.reset();
  serving_.clear();
  EXPECT_EQ(Loads(), all_);
}

TEST_F(LoadPlanTest, UntouchedVersionsAreKept) { EXPECT_EQ(Loads(), none_); }

TEST_F(LoadPlanTest, AChangedVersionLoadsAlone) {
  token_.versions[2] = 5;
  EXPECT_EQ(Loads(), (std::vector<int64_t>{2}));
}

TEST_F(LoadPlanTest, ANewVersionLoadsAlone) {
  previous_->token->versions.erase(2);
  serving_ = {1};
  EXPECT_EQ(Loads(), (std::vector<int64_t>{2}));
}

TEST_F(LoadPlanTest, AVersionThatDoesNotServeLoads) {
  serving_ = {1};
  EXPECT_EQ(Loads(), (std::vector<int64_t>{2}));
}

TEST_F(LoadPlanTest, AChangedSharedFileLoadsEverything) {
  token_.shared = 5;
  EXPECT_EQ(Loads(), all_);
}

TEST_F(LoadPlanTest, AChangedConfigurationLoadsEverything) {
  inference::ModelConfig config;
  config.set_max_batch_size(4);
  model_.config = std::make_shared<const inference::ModelConfig>(config);
  EXPECT_EQ(Loads(), all_);
}

TEST_F(LoadPlanTest, AChangedVersionPolicyLoadsNothingThatServes) {
  inference::ModelConfig config;
  config.mutable_version_policy()->mutable_all();
  model_.config = std::make_shared<const inference::ModelConfig>(config);
  EXPECT_EQ(Loads(), none_);
}

TEST_F(LoadPlanTest, WhatAClientBringsLoadsEverything) { EXPECT_EQ(Loads(true), all_); }

TEST_F(LoadPlanTest, AfterClientFilesEverythingLoads) {
  previous_->token.reset();
  EXPECT_EQ(Loads(), all_);
}

TEST_F(LoadPlanTest, RequestsNameTheFolders) {
  const LoadPlan plan = PlanLoad({"", "m"}, model_, token_, std::nullopt, {}, false);
  EXPECT_EQ(plan.load[1].name, "m");
  EXPECT_EQ(plan.load[1].model_path, "/repo/m");
  EXPECT_EQ(plan.load[1].version_path, "/repo/m/2");
}

}  // namespace
}  // namespace nereid
