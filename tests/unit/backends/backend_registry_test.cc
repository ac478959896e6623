#include "backend/backend_registry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "backend_fixture.h"

namespace nereid {
namespace {

using testing::BackendTest;

class RegistryTest : public BackendTest {};

TEST_F(RegistryTest, OpensAModuleOnceForAllModels) {
  auto first = registry_->Get({"a", "identity", "", "/nonexistent/a", "/nonexistent/a/1"});
  auto second = registry_->Get({"b", "identity", "", "/nonexistent/b", "/nonexistent/b/3"});
  ASSERT_TRUE(first.ok() && second.ok()) << first.status();
  EXPECT_EQ(first->get(), second->get());
}

TEST_F(RegistryTest, GivesThreadsThatAskAtOnceTheSameBackend) {
  std::vector<Backend*> seen(8);
  std::vector<std::thread> threads;
  for (Backend*& backend : seen) {
    threads.emplace_back([&backend, this] { backend = GetBackend("identity").value().get(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (Backend* backend : seen) EXPECT_EQ(backend, seen[0]);
  EXPECT_EQ(registry_->Loaded().size(), 1u);
}

TEST_F(RegistryTest, PrefersAModuleInTheModelsFolder) {
  const std::filesystem::path shipped =
      std::filesystem::path(NEREID_BACKEND_DIR) / "identity" / "libnereid_identity.so";
  const std::filesystem::path own = std::filesystem::path(model_path()) / "libnereid_identity.so";
  std::filesystem::copy_file(shipped, own);
  ASSERT_TRUE(GetBackend("identity").ok());
  ASSERT_EQ(registry_->Loaded().size(), 1u);
  EXPECT_EQ(registry_->Loaded()[0].path, std::filesystem::canonical(own).string());
}

TEST_F(RegistryTest, TriesAgainAfterAFailure) {
  const std::filesystem::path own = std::filesystem::path(model_path()) / "libnereid_late.so";
  std::ofstream(own) << "not a library";
  EXPECT_EQ(GetBackend("late").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(registry_->Loaded().empty());
  std::filesystem::remove(own);
  std::filesystem::copy_file(
      std::filesystem::path(NEREID_BACKEND_DIR) / "identity" / "libnereid_identity.so", own);
  EXPECT_TRUE(GetBackend("late").ok());
}

TEST_F(RegistryTest, ListsWhatIsLoadedByName) {
  ASSERT_TRUE(GetBackend("identity").ok());
  ASSERT_TRUE(GetBackend("add_sub").ok());
  const auto loaded = registry_->Loaded();
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].backend, "add_sub");
  EXPECT_EQ(loaded[1].backend, "identity");
}

TEST(RegistrySettings, OverlayTheBackendsOwnOverTheGlobalOnes) {
  BackendRegistry::Options options;
  options.global_settings = {{"default-max-batch-size", "4"}, {"a", "1"}};
  options.settings["x"] = {{"default-max-batch-size", "16"}, {"b", "2"}};
  BackendRegistry registry(options);
  EXPECT_EQ(registry.SettingsOf("x"),
            (BackendSettings{{"default-max-batch-size", "16"}, {"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(registry.SettingsOf("y"), options.global_settings);
}

TEST_F(RegistryTest, ModelsOutliveTheRegistry) {
  ASSERT_TRUE(Load(R"(name: "m" backend: "identity"
    input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
    output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 1 ] })")
                  .ok());
  registry_.reset();
  auto request = Request();
  request.Input<float>("INPUT0", DataType::kFp32, {1}, {2.5f});
  auto record = request.record();
  ASSERT_TRUE(Execute({&request}).ok());
  EXPECT_TRUE(record->status().ok());
}

}  // namespace
}  // namespace nereid
