#include <gtest/gtest.h>

#include "support/model_repository_fixture.h"

namespace nereid {
namespace {

class PollModeTest : public testing::ModelRepositoryFixture {
 protected:
  void Start() {
    options_.poll_interval = std::chrono::milliseconds(0);
    Create(ModelControlMode::kPoll);
    repository_->LoadStartupModels().IgnoreError();
  }
};

TEST_F(PollModeTest, AnUnchangedRepositoryLoadsNothingAgain) {
  source_->Add("a", {1});
  Start();
  Poll();
  Poll();
  EXPECT_EQ(loader_.record().attempts().size(), 1u);
}

TEST_F(PollModeTest, NewModelsAppear) {
  Start();
  source_->Add("a", {1});
  Poll();
  EXPECT_EQ(Index(), "a:1 READY");
}

TEST_F(PollModeTest, ChangedVersionsReload) {
  source_->Add("a", {1});
  Start();
  source_->TouchVersion("a", 1);
  Poll();
  EXPECT_EQ(Serial("a"), 2);
}

TEST_F(PollModeTest, ANewVersionReplacesTheLatest) {
  source_->Add("a", {1});
  Start();
  source_->AddVersion("a", 2);
  Poll();
  EXPECT_EQ((*Resolve("a"))->version(), 2);
  EXPECT_FALSE(Resolve("a", 1).ok());
}

TEST_F(PollModeTest, UnderThePolicyAllOldVersionsAreLeftAloneWhenOneIsAdded) {
  source_->Add("a", {1}, "version_policy { all {} }");
  Start();
  source_->AddVersion("a", 2);
  Poll();
  EXPECT_EQ(Index(), "a:1 READY; a:2 READY");
  EXPECT_EQ(Serial("a", 1), 1);
}

TEST_F(PollModeTest, ARemovedVersionFallsBackToTheOneBefore) {
  source_->Add("a", {1, 2});
  Start();
  source_->RemoveVersion("a", 2);
  Poll();
  EXPECT_EQ((*Resolve("a"))->version(), 1);
}

TEST_F(PollModeTest, AChangedPolicyOnlyLoadsAndUnloadsVersions) {
  source_->Add("a", {1, 2});
  Start();
  source_->SetConfig("a", "backend: \"fake\" version_policy { all {} }");
  Poll();
  EXPECT_EQ(Index(), "a:1 READY; a:2 READY");
  EXPECT_EQ(Serial("a", 2), 1);
  EXPECT_EQ(loader_.record().attempts_of("a:2"), 1);
}

TEST_F(PollModeTest, AChangedConfigurationReloadsEverything) {
  source_->Add("a", {1});
  Start();
  source_->SetConfig("a", "backend: \"fake\" max_batch_size: 2");
  Poll();
  EXPECT_EQ((*Resolve("a"))->config()->max_batch_size(), 2);
}

TEST_F(PollModeTest, RemovedModelsAreUnloaded) {
  source_->Add("a", {1});
  Start();
  source_->Remove("a");
  Poll();
  EXPECT_FALSE(Resolve("a").ok());
  EXPECT_EQ(Index(), "");
  loader_.record().WaitUntilAlive(0);
}

TEST_F(PollModeTest, AnUnreadableSourceUnloadsNothing) {
  source_->Add("a", {1});
  Start();
  source_->SetReadable(false);
  Poll();
  EXPECT_TRUE(Resolve("a").ok());
  source_->SetReadable(true);
  Poll();
  EXPECT_EQ(Serial("a"), 1);
}

TEST_F(PollModeTest, AFailedLoadIsTriedAgainAtEveryPoll) {
  source_->Add("a", {1});
  loader_.Fail("a:1", absl::InternalError("x"), 2);
  Start();
  Poll();
  EXPECT_EQ(Index(), "a:1 UNAVAILABLE Internal: x");
  Poll();
  EXPECT_EQ(Index(), "a:1 READY");
}

TEST_F(PollModeTest, ABrokenConfigurationKeepsTheOldUntilItIsMended) {
  source_->Add("a", {1});
  Start();
  source_->SetConfig("a", "broken {");
  Poll();
  EXPECT_EQ(Serial("a"), 1);
  source_->SetConfig("a", "backend: \"fake\" max_batch_size: 3");
  Poll();
  EXPECT_EQ((*Resolve("a"))->config()->max_batch_size(), 3);
}

TEST_F(PollModeTest, ANameThatAppearsTwiceIsUnloadedAndComesBackWhenUnique) {
  const auto other = std::make_shared<testing::FakeSource>();
  options_.sources.push_back(other);
  source_->Add("a", {1});
  Start();
  other->Add("a", {1});
  Poll();
  EXPECT_FALSE(Resolve("a").ok());
  EXPECT_EQ(Index(), "a UNAVAILABLE model appears in two or more repositories");
  source_->Remove("a");
  Poll();
  EXPECT_TRUE(Resolve("a").ok());
}

TEST_F(PollModeTest, WithNamespacesOnlyTheCopyThatVanishedIsUnloaded) {
  const auto other = std::make_shared<testing::FakeSource>();
  options_.sources.push_back(other);
  options_.namespacing = true;
  source_->Add("a", {1});
  other->Add("a", {2});
  Start();
  other->Remove("a");
  Poll();
  EXPECT_EQ((*Resolve("a"))->version(), 1);
}

TEST_F(PollModeTest, RemovingAModelSupersedesItsLoad) {
  Start();
  source_->Add("a", {1});
  loader_.Hold("a:1");
  testing::Waiter<int> first, second;
  repository_->Poll([&] { first.Set(1); });
  loader_.record().WaitUntilAttempts(1);
  source_->Remove("a");
  repository_->Poll([&] { second.Set(1); });
  loader_.Release("a:1");
  first.Wait();
  second.Wait();
  EXPECT_FALSE(Resolve("a").ok());
  EXPECT_EQ(repository_->lifecycle().Versions({"", "a"})[0].reason,
            "Newer operation has been applied to the model lifecycle, current load operation is "
            "out-dated.");
}

TEST_F(PollModeTest, ASlowLoadDoesNotHoldUpTheNextPoll) {
  Start();
  source_->Add("slow", {1});
  loader_.Hold("slow:1");
  testing::Waiter<int> first;
  repository_->Poll([&] { first.Set(1); });
  loader_.record().WaitUntilAttempts(1);
  source_->Add("b", {1});
  Poll();
  EXPECT_TRUE(Resolve("b").ok());
  EXPECT_FALSE(first.IsSet());
  loader_.Release("slow:1");
  first.Wait();
}

TEST_F(PollModeTest, TheWatcherPollsByItself) {
  options_.poll_interval = std::chrono::milliseconds(1);
  Create(ModelControlMode::kPoll);
  ASSERT_TRUE(repository_->LoadStartupModels().ok());
  repository_->StartWatching();
  source_->Add("a", {1});
  loader_.record().WaitUntilAlive(1);
  source_->Remove("a");
  loader_.record().WaitUntilAlive(0);
}

}  // namespace
}  // namespace nereid
