#include "repository/model_lifecycle.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/fake_loader.h"
#include "support/waiter.h"

namespace nereid {
namespace {

using enum VersionState;
using testing::Recorded;
using testing::Waiter;

class ModelLifecycleTest : public ::testing::Test {
 protected:
  explicit ModelLifecycleTest(int retry_count = 0)
      : lifecycle_(ModelLifecycle::Create({.loader = &loader_,
                                           .executor = executor_.get(),
                                           .reaper = reaper_.get(),
                                           .serving = &serving_,
                                           .retry_count = retry_count})) {}
  ~ModelLifecycleTest() override {
    executor_.reset();
    lifecycle_->UnloadAll();
    reaper_.reset();
    EXPECT_EQ(loader_.record().alive(), 0);
  }

  static LoadPlan Plan(const std::vector<int64_t>& load, const std::set<int64_t>& keep = {}) {
    LoadPlan plan;
    plan.key = {"", "m"};
    plan.keep = keep;
    for (const int64_t version : load) {
      plan.load.push_back(testing::RequestFor("m", version));
    }
    return plan;
  }
  absl::Status Load(const std::vector<int64_t>& load, const std::set<int64_t>& keep = {}) {
    Waiter<absl::Status> done;
    lifecycle_->Load(Plan(load, keep), [&](absl::Status status) { done.Set(std::move(status)); });
    return done.Wait();
  }
  // "1 READY; 2 UNAVAILABLE unloaded".
  std::string States() const {
    std::string text;
    for (const VersionStatus& version : lifecycle_->Versions({"", "m"})) {
      StrAppend(&text, text.empty() ? "" : "; ", version.version, " ",
                VersionStateName(version.state), version.reason.empty() ? "" : " ", version.reason);
    }
    return text;
  }
  ServableHandle Resolve(int64_t version = kLatestVersion) const {
    auto found = serving_.Resolve("m", version);
    return found.ok() ? *found : nullptr;
  }
  void WaitUntilNoneLive() const {
    EXPECT_TRUE(lifecycle_->WaitUntilNoneLive(Clock::now() + std::chrono::seconds(60)));
  }

  testing::FakeLoader loader_;
  ServingMap serving_{false};
  std::unique_ptr<Reaper> reaper_ = std::make_unique<Reaper>();
  std::unique_ptr<LoadExecutor> executor_ = std::make_unique<LoadExecutor>(2, "test");
  const std::shared_ptr<ModelLifecycle> lifecycle_;
};

TEST_F(ModelLifecycleTest, VersionsOfAPlanAppearTogether) {
  loader_.Hold("m:2");
  Waiter<absl::Status> done;
  lifecycle_->Load(Plan({1, 2}), [&](absl::Status status) { done.Set(std::move(status)); });
  loader_.record().WaitUntilAlive(1);
  EXPECT_EQ(States(), "1 LOADING; 2 LOADING");
  EXPECT_TRUE(absl::IsUnavailable(serving_.Resolve("m", 1).status()));
  loader_.Release("m:2");
  EXPECT_TRUE(done.Wait().ok());
  EXPECT_EQ(States(), "1 READY; 2 READY");
  EXPECT_EQ(Resolve()->version(), 2);
}

TEST_F(ModelLifecycleTest, OneFailureDropsTheWholePlan) {
  loader_.Fail("m:2", absl::InvalidArgumentError("bad weights"));
  const absl::Status status = Load({1, 2});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(),
            "load failed for model 'm': version 2 is at UNAVAILABLE state: Invalid argument: bad "
            "weights;\n");
  EXPECT_EQ(States(),
            "1 UNAVAILABLE Unavailable: another version of the same load failed; "
            "2 UNAVAILABLE Invalid argument: bad weights");
  WaitUntilNoneLive();
}

TEST_F(ModelLifecycleTest, EveryFailedVersionHasAClause) {
  loader_.Fail("m:1", absl::InternalError("a"));
  loader_.Fail("m:2", absl::NotFoundError("b"));
  EXPECT_EQ(Load({1, 2}).message(),
            "load failed for model 'm': version 1 is at UNAVAILABLE state: Internal: a; version 2 "
            "is at UNAVAILABLE state: Not found: b;\n");
}

TEST_F(ModelLifecycleTest, TheOldServesUntilTheNewIsReadyThenGoes) {
  ASSERT_TRUE(Load({1}).ok());
  loader_.Hold("m:1");
  Waiter<absl::Status> done;
  lifecycle_->Load(Plan({1}), [&](absl::Status status) { done.Set(std::move(status)); });
  loader_.record().WaitUntilAttempts(2);
  EXPECT_EQ(States(), "1 READY");
  EXPECT_EQ(Recorded(Resolve()).serial(), 1);
  loader_.Release("m:1");
  ASSERT_TRUE(done.Wait().ok());
  EXPECT_EQ(Recorded(Resolve()).serial(), 2);
  EXPECT_EQ(States(), "1 READY");
  loader_.record().WaitUntilAlive(1);
}

TEST_F(ModelLifecycleTest, AFailedReloadLeavesTheOldServing) {
  ASSERT_TRUE(Load({1}).ok());
  loader_.Fail("m:1", absl::InternalError("out of memory"));
  EXPECT_FALSE(Load({1}).ok());
  EXPECT_EQ(Recorded(Resolve()).serial(), 1);
  EXPECT_EQ(States(), "1 READY Internal: out of memory");
  ASSERT_TRUE(Load({1}).ok());
  EXPECT_EQ(States(), "1 READY");
}

TEST_F(ModelLifecycleTest, AFailedNewVersionLeavesTheOldOneServing) {
  ASSERT_TRUE(Load({1}).ok());
  loader_.Fail("m:2", absl::InternalError("x"));
  EXPECT_FALSE(Load({2}).ok());
  EXPECT_EQ(States(), "1 READY; 2 UNAVAILABLE Internal: x");
  EXPECT_EQ(Resolve()->version(), 1);
}

TEST_F(ModelLifecycleTest, VersionsInNeitherListLeaveAndKeptOnesAreNotTouched) {
  ASSERT_TRUE(Load({1, 2}).ok());
  ASSERT_TRUE(Load({3}, {2}).ok());
  loader_.record().WaitUntilAlive(2);
  EXPECT_EQ(loader_.record().attempts_of("m:2"), 1);
  EXPECT_EQ(Resolve(1), nullptr);
  EXPECT_NE(Resolve(2), nullptr);
  EXPECT_NE(Resolve(3), nullptr);
}

TEST_F(ModelLifecycleTest, APlanThatLoadsNothingStillUnloads) {
  ASSERT_TRUE(Load({1, 2}).ok());
  ASSERT_TRUE(Load({}, {2}).ok());
  EXPECT_EQ(Resolve(1), nullptr);
  EXPECT_NE(Resolve(2), nullptr);
}

TEST_F(ModelLifecycleTest, AnUnloadedVersionLivesUntilItsLastHandleGoes) {
  ASSERT_TRUE(Load({1}).ok());
  ServableHandle held = Resolve();
  lifecycle_->Unload({"", "m"});
  EXPECT_EQ(States(), "1 UNLOADING");
  EXPECT_EQ(Resolve(), nullptr);
  EXPECT_EQ(loader_.record().closed(), 0);
  EXPECT_EQ(lifecycle_->LiveCount(), 1);
  held.reset();
  WaitUntilNoneLive();
  EXPECT_EQ(loader_.record().closed(), 1);
  EXPECT_EQ(States(), "1 UNAVAILABLE unloaded");
}

TEST_F(ModelLifecycleTest, AReloadDuringDrainingIsNotMarkedUnloadedByTheOldOne) {
  ASSERT_TRUE(Load({1}).ok());
  ServableHandle held = Resolve();
  lifecycle_->Unload({"", "m"});
  ASSERT_TRUE(Load({1}).ok());
  EXPECT_EQ(States(), "1 READY");
  held.reset();
  loader_.record().WaitUntilAlive(1);
  EXPECT_EQ(States(), "1 READY");
  EXPECT_EQ(Recorded(Resolve()).serial(), 2);
}

TEST_F(ModelLifecycleTest, UnloadingTheUnknownAndTheUnloadedDoesNothing) {
  lifecycle_->Unload({"", "x"});
  ASSERT_TRUE(Load({1}).ok());
  lifecycle_->Unload({"", "m"});
  WaitUntilNoneLive();
  lifecycle_->Unload({"", "m"});
  EXPECT_EQ(States(), "1 UNAVAILABLE unloaded");
}

TEST_F(ModelLifecycleTest, ASupersededLoadIsDropped) {
  loader_.Hold("m:1");
  Waiter<absl::Status> done;
  lifecycle_->Load(Plan({1}), [&](absl::Status status) { done.Set(std::move(status)); });
  loader_.record().WaitUntilAttempts(1);
  lifecycle_->Supersede({"", "m"});
  loader_.Release("m:1");
  EXPECT_EQ(done.Wait().message(),
            "load failed for model 'm': version 1 is at UNAVAILABLE state: Newer operation has "
            "been applied to the model lifecycle, current load operation is out-dated.;\n");
  EXPECT_EQ(Resolve(), nullptr);
  WaitUntilNoneLive();
  EXPECT_TRUE(Load({1}).ok());
}

TEST_F(ModelLifecycleTest, AttemptsNotBegunAreSkippedOnceSuperseded) {
  lifecycle_->SupersedeForGood();
  EXPECT_FALSE(Load({1}).ok());
  EXPECT_TRUE(loader_.record().attempts().empty());
}

TEST_F(ModelLifecycleTest, InFlightRequestsAreFoundInServingAndDrainingVersions) {
  ASSERT_TRUE(Load({1}).ok());
  ServableHandle old = Resolve();
  Recorded(old).keep = true;
  Recorded(old).Submit(std::make_unique<InferRequest>(nullptr));
  ASSERT_TRUE(Load({1}).ok());
  const std::vector<InFlightVersion> busy = lifecycle_->InFlight();
  ASSERT_EQ(busy.size(), 1u);
  EXPECT_EQ(busy[0].name, "m");
  EXPECT_EQ(busy[0].version, 1);
  EXPECT_EQ(busy[0].in_flight, 1);
  Recorded(old).AnswerKept();
  EXPECT_TRUE(lifecycle_->InFlight().empty());
}

TEST_F(ModelLifecycleTest, FilesAreKeptAsLongAsTheVersion) {
  auto files = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = files;
  LoadPlan plan = Plan({1});
  plan.lifetime = std::move(files);
  Waiter<absl::Status> done;
  lifecycle_->Load(std::move(plan), [&](absl::Status status) { done.Set(std::move(status)); });
  ASSERT_TRUE(done.Wait().ok());
  EXPECT_FALSE(watch.expired());
  lifecycle_->Unload({"", "m"});
  WaitUntilNoneLive();
  EXPECT_TRUE(watch.expired());
}

class RetryTest : public ModelLifecycleTest {
 protected:
  RetryTest() : ModelLifecycleTest(2) {}
};

TEST_F(RetryTest, AFailedVersionIsTriedAgainAsOftenAsAsked) {
  loader_.Fail("m:1", absl::InternalError("x"), 2);
  EXPECT_TRUE(Load({1}).ok());
  EXPECT_EQ(loader_.record().attempts_of("m:1"), 3);
}

TEST_F(RetryTest, TheLastAttemptDecides) {
  loader_.Fail("m:1", absl::InternalError("x"), 3);
  EXPECT_FALSE(Load({1}).ok());
  EXPECT_EQ(loader_.record().attempts_of("m:1"), 3);
}

}  // namespace
}  // namespace nereid
