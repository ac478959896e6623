#include "server/server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/strings.h"
#include "support/fake_loader.h"
#include "support/fake_sink.h"
#include "support/fake_source.h"
#include "support/waiter.h"

namespace nereid {
namespace {

using testing::Recorded;
using testing::Waiter;

class FixedClock : public TimeSource {
 public:
  std::chrono::steady_clock::time_point Now() const override { return now; }
  std::chrono::steady_clock::time_point now = Clock::now();
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    options_.version = "1.2.3";
    options_.clock = &clock_;
    options_.repository.loader = &loader_;
    options_.repository.sources = {source_};
    options_.repository.control_mode = ModelControlMode::kExplicit;
    options_.repository.startup_models = {"*"};
  }
  void Start() {
    auto server = Server::Create(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  absl::Status Load(const std::string& name, LoadOverrides overrides = {}) {
    Waiter<absl::Status> done;
    server_->LoadModel(name, std::move(overrides),
                       [&](absl::Status status) { done.Set(std::move(status)); });
    return done.Wait();
  }
  absl::Status Unload(const std::string& name) {
    Waiter<absl::Status> done;
    server_->UnloadModel(name, true, [&](absl::Status status) { done.Set(std::move(status)); });
    return done.Wait();
  }
  std::unique_ptr<InferRequest> Request() {
    auto request = std::make_unique<InferRequest>(std::make_unique<testing::FakeSink>(answer_));
    request->id = "7";
    return request;
  }
  void Infer(std::unique_ptr<InferRequest> request) {
    server_->Infer(*server_->Resolve("a", kLatestVersion), std::move(request));
  }

  FixedClock clock_;
  testing::FakeLoader loader_;
  const std::shared_ptr<testing::FakeSource> source_ = std::make_shared<testing::FakeSource>();
  const std::shared_ptr<testing::SinkRecord> answer_ = std::make_shared<testing::SinkRecord>();
  Server::Options options_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, ServesWhatTheRepositoryHolds) {
  source_->Add("a", {1, 2}, "version_policy { all {} }");
  Start();
  EXPECT_TRUE(server_->Live().ok());
  EXPECT_TRUE(*server_->Ready());
  EXPECT_TRUE(*server_->ModelReady("a", 1));
  EXPECT_EQ(*server_->ReadyVersions("a"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ((*server_->Resolve("a", kLatestVersion))->version(), 2);
  const std::vector<IndexRow> index = *server_->RepositoryIndex(false);
  ASSERT_EQ(index.size(), 2u);
  EXPECT_EQ(index[1].name, "a");
  EXPECT_EQ(index[1].version, "2");
  EXPECT_EQ(index[1].state, "READY");
  EXPECT_EQ(index[1].reason, "");
}

TEST_F(ServerTest, MetadataListsOnlyWhatExists) {
  Start();
  const ServerMetadata metadata = *server_->Metadata();
  EXPECT_EQ(metadata.name, "triton");
  EXPECT_EQ(metadata.version, "1.2.3");
  for (const std::string& extension : metadata.extensions) EXPECT_NE(extension, "sequence");
  EXPECT_NE(std::find(metadata.extensions.begin(), metadata.extensions.end(), "statistics"),
            metadata.extensions.end());
}

TEST_F(ServerTest, ABrokenStartupModelFailsTheStartUnlessToldOtherwise) {
  source_->Add("a", {1});
  source_->Add("b", {1});
  loader_.Fail("b:1", absl::InternalError("x"), 2);
  const absl::Status status = Server::Create(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "failed to load all models");
  EXPECT_EQ(loader_.record().alive(), 0);

  options_.exit_on_error = false;
  Start();
  EXPECT_EQ(server_->state(), ServerState::kReady);
  EXPECT_TRUE(server_->Resolve("a", 1).ok());
  EXPECT_FALSE(*server_->Ready());
}

TEST_F(ServerTest, WithoutStrictReadinessOnlyTheServerCounts) {
  source_->Add("a", {1});
  loader_.Fail("a:1", absl::InternalError("x"));
  options_.exit_on_error = false;
  options_.strict_readiness = false;
  Start();
  EXPECT_TRUE(*server_->Ready());
}

TEST_F(ServerTest, AModelUnloadedOnRequestDoesNotSpoilReadiness) {
  source_->Add("a", {1});
  Start();
  ASSERT_TRUE(Unload("a").ok());
  ASSERT_TRUE(
      server_->repository().lifecycle().WaitUntilNoneLive(Clock::now() + std::chrono::seconds(60)));
  EXPECT_TRUE(*server_->Ready());
  EXPECT_TRUE(absl::IsUnavailable(server_->ModelReady("a", 1).status()));
  EXPECT_TRUE(absl::IsNotFound(server_->ModelReady("a", kLatestVersion).status()));
}

TEST_F(ServerTest, AnUnhealthyBackendSpoilsReadiness) {
  source_->Add("a", {1});
  Start();
  Recorded(*server_->Resolve("a", 1)).healthy = false;
  EXPECT_FALSE(*server_->Ready());
  EXPECT_FALSE(*server_->ModelReady("a", 1));
}

TEST_F(ServerTest, LoadsAndReloadsOnRequest) {
  Start();
  source_->Add("a", {1});
  EXPECT_TRUE(Load("a").ok());
  EXPECT_TRUE(
      Load("a", {.config_json = R"({"backend":"fake","max_batch_size":9})", .files = {}}).ok());
  EXPECT_EQ((*server_->Resolve("a", 1))->config()->max_batch_size(), 9);
}

TEST_F(ServerTest, StatisticsCoverAllReadyVersionsOrTheOnesAskedFor) {
  source_->Add("b", {1});
  source_->Add("a", {1, 2}, "version_policy { all {} }");
  Start();
  const std::vector<StatisticsRow> all = *server_->Statistics("", kLatestVersion);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[0].version, 1);
  EXPECT_EQ(all[2].name, "b");
  ASSERT_EQ(all[0].memory_usage.items.size(), 1u);
  EXPECT_EQ(all[0].memory_usage.items[0].byte_size, 77u);
  EXPECT_EQ(server_->Statistics("a", kLatestVersion)->size(), 2u);
  EXPECT_EQ(server_->Statistics("a", 2)->at(0).version, 2);
}

TEST_F(ServerTest, StatisticsOfTheUnknownAreRefused) {
  source_->Add("a", {1});
  Start();
  const absl::Status model = server_->Statistics("x", kLatestVersion).status();
  EXPECT_TRUE(absl::IsInvalidArgument(model));
  EXPECT_EQ(model.message(), "requested model 'x' is not available");
  const absl::Status version = server_->Statistics("a", 9).status();
  EXPECT_TRUE(absl::IsInvalidArgument(version));
  EXPECT_EQ(version.message(), "requested model version is not available for model 'a'");
}

TEST_F(ServerTest, AnAdmittedRequestReachesTheModelAndKeepsItLoaded) {
  source_->Add("a", {1});
  Start();
  ServableHandle handle = *server_->Resolve("a", 1);
  Recorded(handle).keep = true;
  server_->Infer(handle, Request());
  testing::RecordedServable& servable = Recorded(handle);
  handle.reset();
  ASSERT_TRUE(Unload("a").ok());
  EXPECT_EQ(loader_.record().alive(), 1);
  servable.AnswerKept();
  answer_->WaitUntilFinal();
  EXPECT_TRUE(answer_->status().ok());
  loader_.record().WaitUntilAlive(0);
}

TEST_F(ServerTest, ACancelledRequestIsNotAdmitted) {
  source_->Add("a", {1});
  Start();
  answer_->Cancel();
  Infer(Request());
  EXPECT_TRUE(absl::IsCancelled(answer_->status()));
  EXPECT_EQ(Recorded(*server_->Resolve("a", 1)).submitted, 0);
}

TEST_F(ServerTest, ARequestPastItsDeadlineIsNotAdmitted) {
  source_->Add("a", {1});
  Start();
  auto request = Request();
  request->deadline = clock_.now;
  Infer(std::move(request));
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer_->status()));
}

TEST_F(ServerTest, ARequestBeforeItsDeadlineIsAdmitted) {
  source_->Add("a", {1});
  Start();
  auto request = Request();
  request->deadline = clock_.now + std::chrono::microseconds(1);
  Infer(std::move(request));
  EXPECT_TRUE(answer_->status().ok());
}

TEST_F(ServerTest, StoppingUnloadsEverything) {
  source_->Add("a", {1});
  source_->Add("b", {1});
  Start();
  EXPECT_TRUE(server_->Stop(std::chrono::seconds(60)).ok());
  EXPECT_EQ(server_->state(), ServerState::kStopped);
  EXPECT_EQ(loader_.record().alive(), 0);
  EXPECT_TRUE(server_->Stop(std::chrono::seconds(60)).ok());
}

TEST_F(ServerTest, CanReportThatItIsNotReadyAndServeOn) {
  source_->Add("a", {1});
  Start();
  server_->ReportNotReady();
  EXPECT_FALSE(*server_->Ready());
  EXPECT_TRUE(server_->Live().ok());
  EXPECT_TRUE(*server_->ModelReady("a", 1));
}

TEST_F(ServerTest, HandsOverWhatAnotherProcessNeeds) {
  source_->Add("a", {1});
  Start();
  const Server::Belongings belongings = server_->HandOver();
  ASSERT_EQ(belongings.models.size(), 1u);
  EXPECT_EQ(belongings.models[0].name, "a");
  EXPECT_TRUE(belongings.regions.empty());
  EXPECT_TRUE(absl::IsUnavailable(server_->Live()));
  EXPECT_EQ(Load("a").message(), "Server not ready");
}

TEST_F(ServerTest, StoppingWaitsForRequestsInFlightAndRefusesNewOnes) {
  source_->Add("a", {1});
  Start();
  ServableHandle handle = *server_->Resolve("a", 1);
  Recorded(handle).keep = true;
  server_->Infer(handle, Request());
  absl::Status stopped = absl::UnknownError("not yet");
  std::thread stopper([&] { stopped = server_->Stop(std::chrono::seconds(60)); });
  while (server_->state() != ServerState::kExiting) std::this_thread::yield();

  EXPECT_TRUE(absl::IsUnavailable(server_->Live()));
  EXPECT_EQ(server_->Live().message(), "Server exiting");
  EXPECT_EQ(server_->Ready().status().message(), "Server exiting");
  EXPECT_EQ(server_->Metadata().status().message(), "Server not ready");
  EXPECT_EQ(Load("a").message(), "Server not ready");
  EXPECT_EQ(Unload("a").message(), "Server not ready");
  const auto refused = std::make_shared<testing::SinkRecord>();
  auto request = std::make_unique<InferRequest>(std::make_unique<testing::FakeSink>(refused));
  request->id = "8";
  server_->Infer(handle, std::move(request));
  EXPECT_TRUE(absl::IsUnavailable(refused->status()));
  EXPECT_EQ(refused->status().message(),
            "[request id: 8] Server is stopping, scheduler for model has stopped accepting new "
            "inference requests");
  EXPECT_EQ(answer_->finals(), 0);

  Recorded(handle).AnswerKept();
  handle.reset();
  stopper.join();
  EXPECT_TRUE(stopped.ok()) << stopped;
  EXPECT_TRUE(answer_->status().ok());
  EXPECT_EQ(loader_.record().alive(), 0);
}

TEST_F(ServerTest, StoppingGivesUpWhenTheTimeIsOver) {
  source_->Add("a", {1});
  Start();
  ServableHandle handle = *server_->Resolve("a", 1);
  Recorded(handle).keep = true;
  server_->Infer(handle, Request());
  const absl::Status stopped = server_->Stop(std::chrono::seconds(0));
  EXPECT_EQ(stopped.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(stopped.message(), "Exit timeout expired. Exiting immediately.");
  Recorded(handle).AnswerKept();
}

TEST_F(ServerTest, StoppingDropsALoadInProgress) {
  source_->Add("a", {1});
  options_.repository.startup_models = {};
  Start();
  loader_.Hold("a:1");
  Waiter<absl::Status> loaded;
  server_->LoadModel("a", {}, [&](absl::Status status) { loaded.Set(std::move(status)); });
  loader_.record().WaitUntilAttempts(1);
  absl::Status stopped;
  std::thread stopper([&] { stopped = server_->Stop(std::chrono::seconds(60)); });
  while (server_->state() != ServerState::kExiting) std::this_thread::yield();
  loader_.Release("a:1");
  stopper.join();
  EXPECT_TRUE(stopped.ok()) << stopped;
  loaded.Wait().IgnoreError();  // whether it came before the stop is open
  EXPECT_FALSE(server_->Resolve("a", 1).ok());
  EXPECT_EQ(loader_.record().alive(), 0);
}

}  // namespace
}  // namespace nereid
