#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/fake_sink.h"
#include "support/model_repository_fixture.h"

namespace nereid {
namespace {

class ExplicitModeTest : public testing::ModelRepositoryFixture {};

TEST_F(ExplicitModeTest, NothingLoadsUnasked) {
  source_->Add("a", {1});
  StartExplicit();
  EXPECT_EQ(Index(), "a");
  EXPECT_EQ(Index(true), "");
  EXPECT_TRUE(repository_->AllModelsReady());
}

TEST_F(ExplicitModeTest, StartupModelsLoad) {
  source_->Add("a", {1});
  source_->Add("b", {1});
  options_.startup_models = {"b", "b"};
  StartExplicit();
  EXPECT_EQ(Index(), "a; b:1 READY");
}

TEST_F(ExplicitModeTest, AWildcardLoadsAll) {
  source_->Add("a", {1});
  source_->Add("b", {1});
  options_.startup_models = {"*"};
  StartExplicit();
  EXPECT_EQ(Index(), "a:1 READY; b:1 READY");
}

TEST_F(ExplicitModeTest, AMissingStartupModelFailsTheStart) {
  options_.startup_models = {"none"};
  Create(ModelControlMode::kExplicit);
  EXPECT_EQ(repository_->LoadStartupModels().message(), "failed to load all models");
}

TEST_F(ExplicitModeTest, NamesAreChecked) {
  StartExplicit();
  EXPECT_EQ(Load(" ").message(),
            "Model name cannot be empty. Please enter a valid name to deploy.");
  EXPECT_EQ(Load("../a").message(),
            "invalid model name '../a', model name must not contain path traversal characters");
}

TEST_F(ExplicitModeTest, AnUnknownModelIsAnInternalError) {
  StartExplicit();
  const absl::Status status = Load("none");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "failed to load 'none', failed to poll from model repository");
}

TEST_F(ExplicitModeTest, AnUnreadableRepositoryIsAnErrorAndLeavesTheModelServing) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  source_->SetReadable(false);
  EXPECT_EQ(Load("a").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Serial("a"), 1);
}

TEST_F(ExplicitModeTest, ABrokenConfigurationIsNamedAndLeavesTheModelServing) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  source_->SetConfig("a", "name: \"b\" backend: \"fake\"");
  const absl::Status status = Load("a");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(),
            "failed to load 'a', failed to poll from model repository: unexpected directory name "
            "'a' for model 'b', directory name must equal model name");
  EXPECT_EQ(Serial("a"), 1);
}

TEST_F(ExplicitModeTest, VersionsMustExistAndBeSelected) {
  source_->Add("a", {});
  source_->Add("b", {1}, "version_policy { specific { versions: [ 9 ] } }");
  source_->Add("c", {1}, "version_policy { latest { } }");
  StartExplicit();
  const absl::Status none = Load("a");
  EXPECT_EQ(none.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(none.message(), "failed to load 'a', no version is available");
  for (const char* name : {"b", "c"}) {
    const absl::Status status = Load(name);
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_EQ(status.message(),
              StrCat("at least one version must be available under the version policy of model '",
                     name, "'"));
  }
}

TEST_F(ExplicitModeTest, LoadingAnUnchangedModelDoesNothing) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(loader_.record().attempts_of("a:1"), 1);
}

TEST_F(ExplicitModeTest, LoadingAChangedModelReloadsIt) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  source_->TouchVersion("a", 1);
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Serial("a"), 2);
}

TEST_F(ExplicitModeTest, AFailedReloadKeepsTheOldAndIsReallyTriedAgain) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  source_->TouchVersion("a", 1);
  loader_.Fail("a:1", absl::InvalidArgumentError("corrupt"));
  EXPECT_EQ(Load("a").message(),
            "load failed for model 'a': version 1 is at UNAVAILABLE state: Invalid argument: "
            "corrupt;\n");
  EXPECT_EQ(Serial("a"), 1);
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Serial("a"), 2);
}

TEST_F(ExplicitModeTest, UnloadTakesTheModelOutAtOnceAndSaysSo) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  ASSERT_TRUE(Unload("a").ok());
  EXPECT_FALSE(Resolve("a").ok());
  loader_.record().WaitUntilAlive(0);
  ASSERT_TRUE(repository_->lifecycle().WaitUntilNoneLive(Clock::now() + std::chrono::seconds(60)));
  EXPECT_EQ(Index(), "a:1 UNAVAILABLE unloaded");
  EXPECT_TRUE(repository_->AllModelsReady());
  EXPECT_EQ(Resolve("a", 1).status().message(),
            "Request for unknown model: 'a' version 1 is not at ready state");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Serial("a"), 2);
}

TEST_F(ExplicitModeTest, UnloadingTheUnknownSucceeds) {
  StartExplicit();
  EXPECT_TRUE(Unload("none").ok());
  EXPECT_TRUE(Unload("../x").ok());
}

TEST_F(ExplicitModeTest, RequestsInFlightFinishAfterAnUnload) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  const auto record = std::make_shared<testing::SinkRecord>();
  {
    ServableHandle handle = *Resolve("a");
    testing::Recorded(handle).keep = true;
    auto request = std::make_unique<InferRequest>(std::make_unique<testing::FakeSink>(record));
    request->servable_handle = handle;
    handle->Submit(std::move(request));
  }
  ServableHandle handle = *Resolve("a");
  ASSERT_TRUE(Unload("a").ok());
  EXPECT_EQ(Index(), "a:1 UNLOADING");
  EXPECT_FALSE(repository_->AllModelsReady());
  EXPECT_EQ(record->finals(), 0);
  testing::Recorded(handle).AnswerKept();
  handle.reset();
  record->WaitUntilFinal();
  EXPECT_TRUE(record->status().ok());
  loader_.record().WaitUntilAlive(0);
}

TEST_F(ExplicitModeTest, OperationsOnOneModelTakeTurns) {
  source_->Add("a", {1});
  StartExplicit();
  loader_.Hold("a:1");
  testing::Waiter<absl::Status> load, unload;
  repository_->Load("a", {}, [&](absl::Status status) { load.Set(std::move(status)); });
  repository_->Unload("a", false, [&](absl::Status status) { unload.Set(std::move(status)); });
  loader_.record().WaitUntilAttempts(1);
  EXPECT_FALSE(unload.IsSet());
  loader_.Release("a:1");
  EXPECT_TRUE(load.Wait().ok());
  EXPECT_TRUE(unload.Wait().ok());
  EXPECT_FALSE(Resolve("a").ok());
}

TEST_F(ExplicitModeTest, ARemovedModelStaysUntilItIsUnloaded) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  source_->Remove("a");
  EXPECT_EQ(Load("a").message(), "failed to load 'a', failed to poll from model repository");
  EXPECT_EQ(Serial("a"), 1);
  EXPECT_EQ(Index(), "");
  EXPECT_TRUE(Unload("a").ok());
  EXPECT_FALSE(Resolve("a").ok());
}

TEST_F(ExplicitModeTest, AConfigurationOverrideReplacesTheFileUntilSomethingChanges) {
  source_->Add("a", {1, 2});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  ASSERT_TRUE(
      Load("a", {R"({"backend":"fake","maxBatchSize":4,"versionPolicy":{"all":{}}})", {}}).ok());
  EXPECT_EQ(Index(), "a:1 READY; a:2 READY");
  EXPECT_EQ((*Resolve("a"))->config()->max_batch_size(), 4);
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ((*Resolve("a"))->config()->max_batch_size(), 4);
  source_->TouchVersion("a", 2);
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ((*Resolve("a"))->config()->max_batch_size(), 0);
  EXPECT_FALSE(Resolve("a", 1).ok());
}

TEST_F(ExplicitModeTest, AnOverrideThatIsNoConfigurationIsTheClientsFault) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  for (const char* json : {"{", R"({"inputs":[]})", R"({"backend":"fake","maxBatchSize":-1})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Load("a", {json, {}}))) << json;
  }
  EXPECT_EQ(std::string(Load("a", {"{", {}}).message()).find("Invalid config override: "), 0u);
  EXPECT_EQ(Serial("a"), 1);
}

TEST_F(ExplicitModeTest, FilesFromTheClientServeWithoutARepositoryEntry) {
  StartExplicit();
  ASSERT_TRUE(Load("new", {R"({"backend":"fake"})", {{"5/model.onnx", "weights"}}}).ok());
  EXPECT_EQ((*Resolve("new"))->version(), 5);
  const std::string path = loader_.last_request().version_path;
  EXPECT_EQ(*FileSystem::Real().ReadFile(path + "/model.onnx", 100), "weights");
  EXPECT_EQ(Index(), "");
  ASSERT_TRUE(Unload("new").ok());
  ASSERT_TRUE(repository_->lifecycle().WaitUntilNoneLive(Clock::now() + std::chrono::seconds(60)));
  EXPECT_TRUE(absl::IsNotFound(FileSystem::Real().Stat(path).status()));
}

TEST_F(ExplicitModeTest, APlainLoadAfterClientFilesGoesBackToTheRepository) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  ASSERT_TRUE(Load("a", {R"({"backend":"fake"})", {{"7/x", ""}}}).ok());
  EXPECT_EQ((*Resolve("a"))->version(), 7);
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ((*Resolve("a"))->version(), 1);
  EXPECT_EQ(Serial("a"), 3);
}

TEST_F(ExplicitModeTest, ClientFilesNeedAConfigurationAndMayNotLeaveTheModel) {
  StartExplicit();
  EXPECT_EQ(Load("a", {"", {{"1/x", ""}}}).message(),
            "Load parameter 'config' must be specified for model file override");
  EXPECT_EQ(Load("a", {R"({"backend":"fake"})", {{"../x", ""}}}).message(),
            "Invalid file parameter 'file:../x' with normalized path '../x' must stay within model "
            "directory.");
}

TEST_F(ExplicitModeTest, AStormOfReloadsUnderTrafficFailsNoRequest) {
  source_->Add("a", {1});
  StartExplicit();
  ASSERT_TRUE(Load("a").ok());
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        const auto record = std::make_shared<testing::SinkRecord>();
        auto found = Resolve("a");
        if (!found.ok()) {
          ++failed;
          continue;
        }
        auto request = std::make_unique<InferRequest>(std::make_unique<testing::FakeSink>(record));
        request->servable_handle = *found;
        (*found)->Submit(std::move(request));
        if (!record->status().ok()) ++failed;
      }
    });
  }
  for (int n = 0; n < 100; ++n) {
    source_->TouchVersion("a", 1);
    ASSERT_TRUE(Load("a").ok());
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(Serial("a"), 101);
  loader_.record().WaitUntilAlive(1);
}

TEST_F(ExplicitModeTest, AStormOfLoadsAndUnloadsFromManyThreadsEndsInOrder) {
  source_->Add("a", {1});
  source_->Add("b", {1});
  StartExplicit();
  std::atomic<int> failed{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      const std::string name = i % 2 == 0 ? "a" : "b";
      for (int n = 0; n < 50; ++n) {
        if (!Load(name).ok()) ++failed;
        if (!Unload(name).ok()) ++failed;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  ASSERT_TRUE(repository_->lifecycle().WaitUntilNoneLive(Clock::now() + std::chrono::seconds(60)));
  EXPECT_EQ(Index(), "a:1 UNAVAILABLE unloaded; b:1 UNAVAILABLE unloaded");
}

TEST_F(ExplicitModeTest, AnotherRepositoryGoesOnWithWhatClientsLoaded) {
  const std::string config = "{\"name\":\"a\",\"backend\":\"fake\",\"max_batch_size\":5}";
  const std::string sent = "{\"name\":\"sent\",\"backend\":\"fake\"}";
  const std::string content("\0weights\n", 9);
  source_->Add("a", {1});
  source_->Add("b", {1});
  source_->Add("c", {1});
  options_.startup_models = {"b", "c"};
  StartExplicit();
  ASSERT_TRUE(Load("a", {config, {}}).ok());
  ASSERT_TRUE(Load("sent", {sent, {{"1/deep/weights", content}, {"2/weights", ""}}}).ok());
  ASSERT_TRUE(Unload("c").ok());
  EXPECT_FALSE(Load("none").ok());

  options_.requested_models = repository_->HandOver();
  EXPECT_TRUE(FileSystem::Real().List(temporary_.path())->empty());
  EXPECT_TRUE(absl::IsUnavailable(Load("c"))) << "it has begun to shut down";
  ASSERT_EQ(options_.requested_models->size(), 3u);
  EXPECT_EQ((*options_.requested_models)[0].name, "a");
  EXPECT_EQ((*options_.requested_models)[0].with.config_json, config);
  EXPECT_EQ((*options_.requested_models)[1].name, "b");
  EXPECT_TRUE((*options_.requested_models)[1].with.empty());
  EXPECT_EQ((*options_.requested_models)[2].with.config_json, sent);
  EXPECT_EQ((*options_.requested_models)[2].with.files.at("1/deep/weights"), content);
  EXPECT_EQ((*options_.requested_models)[2].with.files.at("2/weights"), "");

  repository_.reset();
  StartExplicit();
  EXPECT_EQ(Index(true), "a:1 READY; b:1 READY");
  EXPECT_EQ((*Resolve("a"))->config()->max_batch_size(), 5);
  EXPECT_TRUE(Resolve("sent", 2).ok());
  EXPECT_FALSE(Resolve("c").ok());
}

}  // namespace
}  // namespace nereid
