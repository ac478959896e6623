#include "repository/model_repository.h"

#include <gtest/gtest.h>

#include "support/model_repository_fixture.h"

namespace nereid {
namespace {

class ModelRepositoryTest : public testing::ModelRepositoryFixture {};

TEST_F(ModelRepositoryTest, NoneLoadsEverythingFoundAndNothingLater) {
  source_->Add("a", {1});
  source_->Add("b", {1, 2});
  Create(ModelControlMode::kNone);
  ASSERT_TRUE(repository_->LoadStartupModels().ok());
  EXPECT_EQ(Index(), "a:1 READY; b:2 READY");
  EXPECT_TRUE(repository_->AllModelsReady());
  source_->Add("c", {1});
  repository_->StartWatching();
  EXPECT_EQ(Index(), "a:1 READY; b:2 READY; c");
}

TEST_F(ModelRepositoryTest, OneBrokenModelFailsTheStartAndTheOthersServe) {
  source_->Add("a", {1});
  source_->Add("b", {1});
  loader_.Fail("a:1", absl::InternalError("x"));
  Create(ModelControlMode::kNone);
  const absl::Status status = repository_->LoadStartupModels();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "failed to load all models");
  EXPECT_EQ(Index(), "a:1 UNAVAILABLE Internal: x; b:1 READY");
  EXPECT_FALSE(repository_->AllModelsReady());
}

TEST_F(ModelRepositoryTest, AnUnreadableConfigurationFailsTheStartAndIsInTheTable) {
  source_->Add("a", {1});
  source_->SetConfig("a", "nonsense {");
  Create(ModelControlMode::kNone);
  EXPECT_FALSE(repository_->LoadStartupModels().ok());
  EXPECT_EQ(Index(), "a");
  const std::vector<ModelTableRow> table = repository_->Table();
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table[0].name, "a");
  EXPECT_EQ(table[0].version, "-");
  EXPECT_EQ(table[0].status.find("Not loaded: failed to read text proto from"), 0u)
      << table[0].status;
}

TEST_F(ModelRepositoryTest, TheTableTellsStatesAndReasons) {
  source_->Add("a", {1});
  source_->Add("b", {1});
  loader_.Fail("b:1", absl::InternalError("x"));
  Create(ModelControlMode::kNone);
  EXPECT_FALSE(repository_->LoadStartupModels().ok());
  const std::vector<ModelTableRow> table = repository_->Table();
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table[0].status, "READY");
  EXPECT_EQ(table[1].status, "UNAVAILABLE: Internal: x");
}

TEST_F(ModelRepositoryTest, AnUnreadableSourceFailsTheStart) {
  source_->Add("a", {1});
  Create(ModelControlMode::kNone);
  source_->SetReadable(false);
  EXPECT_EQ(repository_->LoadStartupModels().message(), "failed to load all models");
  EXPECT_FALSE(repository_->Index(false).ok());
}

TEST_F(ModelRepositoryTest, LoadRequestsAreRefusedOutsideExplicitMode) {
  source_->Add("a", {1});
  for (const ModelControlMode mode : {ModelControlMode::kNone, ModelControlMode::kPoll}) {
    Create(mode);
    ASSERT_TRUE(repository_->LoadStartupModels().ok());
    for (const absl::Status& status : {Load("a"), Unload("a")}) {
      EXPECT_TRUE(absl::IsUnavailable(status));
      EXPECT_EQ(status.message(),
                "explicit model load / unload is not allowed if polling is enabled");
    }
  }
}

TEST_F(ModelRepositoryTest, DuplicateNamesDoNotLoad) {
  const auto other = std::make_shared<testing::FakeSource>();
  source_->Add("a", {1});
  source_->Add("b", {1});
  other->Add("a", {1});
  options_.sources.push_back(other);
  Create(ModelControlMode::kNone);
  EXPECT_FALSE(repository_->LoadStartupModels().ok());
  EXPECT_EQ(Index(), "a UNAVAILABLE model appears in two or more repositories; b:1 READY");
  EXPECT_EQ(Index(true), "a UNAVAILABLE model appears in two or more repositories; b:1 READY");
}

TEST_F(ModelRepositoryTest, WithNamespacesDuplicateNamesLoadSideBySide) {
  const auto other = std::make_shared<testing::FakeSource>();
  source_->Add("a", {1});
  other->Add("a", {1, 2});
  options_.sources.push_back(other);
  options_.namespacing = true;
  Create(ModelControlMode::kNone);
  EXPECT_TRUE(repository_->LoadStartupModels().ok());
  EXPECT_EQ(repository_->serving().AllReady().size(), 2u);
  EXPECT_TRUE(absl::IsInvalidArgument(Resolve("a").status()));
  EXPECT_EQ(repository_->Index(false)->size(), 2u);
}

TEST_F(ModelRepositoryTest, UnrelatedModelsLoadSideBySide) {
  source_->Add("a", {1});
  source_->Add("b", {1});
  StartExplicit();
  loader_.Hold("a:1");
  testing::Waiter<absl::Status> done;
  repository_->Load("a", {}, [&](absl::Status status) { done.Set(std::move(status)); });
  loader_.record().WaitUntilAttempts(1);
  EXPECT_TRUE(Load("b").ok());
  EXPECT_FALSE(done.IsSet());
  loader_.Release("a:1");
  EXPECT_TRUE(done.Wait().ok());
}

TEST_F(ModelRepositoryTest, OneLoadThreadIsEnough) {
  source_->Add("a", {1, 2, 3}, "version_policy { all {} }");
  source_->Add("b", {1});
  options_.load_thread_count = 1;
  Create(ModelControlMode::kNone);
  EXPECT_TRUE(repository_->LoadStartupModels().ok());
  EXPECT_EQ(Index(), "a:1 READY; a:2 READY; a:3 READY; b:1 READY");
}

TEST_F(ModelRepositoryTest, ShuttingDownRefusesOperationsAndDropsLoads) {
  source_->Add("a", {1});
  StartExplicit();
  loader_.Hold("a:1");
  testing::Waiter<absl::Status> running, waiting;
  repository_->Load("a", {}, [&](absl::Status status) { running.Set(std::move(status)); });
  repository_->Load("a", {}, [&](absl::Status status) { waiting.Set(std::move(status)); });
  loader_.record().WaitUntilAttempts(1);
  repository_->BeginShutdown();
  EXPECT_TRUE(absl::IsUnavailable(Load("a")));
  EXPECT_TRUE(absl::IsUnavailable(Unload("a")));
  loader_.Release("a:1");
  EXPECT_NE(running.Wait().ToString().find("Newer operation has been applied"), std::string::npos);
  EXPECT_TRUE(absl::IsUnavailable(waiting.Wait()));
  EXPECT_FALSE(Resolve("a").ok());
}

TEST_F(ModelRepositoryTest, AHandleMayOutliveTheRepository) {
  source_->Add("a", {1});
  Create(ModelControlMode::kNone);
  ASSERT_TRUE(repository_->LoadStartupModels().ok());
  ServableHandle handle = *Resolve("a");
  repository_.reset();
  EXPECT_EQ(loader_.record().alive(), 1);
  handle.reset();
  loader_.record().WaitUntilAlive(0);
}

}  // namespace
}  // namespace nereid
