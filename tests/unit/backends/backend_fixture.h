#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend_registry.h"
#include "backend/guarded.h"
#include "config/normalize.h"
#include "google/protobuf/text_format.h"
#include "proto/model_config.pb.h"
#include "support/request_builder.h"

namespace nereid::testing {

inline absl::StatusOr<std::shared_ptr<const ModelConfig>> NormalizedConfig(
    const std::string& text) {
  inference::ModelConfig proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto)) << text;
  NormalizeConfig(&proto);
  ModelConfig::Options options;
  options.read_labels = false;
  return ModelConfig::Create(proto, options);
}

// Loads models with the modules that this build made, from a folder that goes with the test.
class BackendTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "backend_test_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    std::filesystem::create_directories(version_path());
  }
  void TearDown() override {
    instance_.reset();
    model_.reset();
    std::filesystem::remove_all(root_);
  }

  std::string model_path() const { return (root_ / "m").string(); }
  std::string version_path() const { return (root_ / "m" / "1").string(); }

  // Settings of the next backends; a registry of its own, so that they take effect.
  void UseSettings(BackendSettings settings) { registry_ = MakeRegistry(std::move(settings), {}); }
  // The same for what they tell the server.
  void WhenNewProcessIsNeeded(std::function<void(std::string reason)> tell) {
    registry_ = MakeRegistry({}, std::move(tell));
  }

  absl::StatusOr<std::shared_ptr<Backend>> GetBackend(const std::string& backend) {
    return registry_->Get({"m", backend, "", model_path(), version_path()});
  }

  ModelContext Context(std::shared_ptr<const ModelConfig> config,
                       InstanceKind kind = InstanceKind::kCpu) const {
    ModelContext context;
    context.model_path = model_path();
    context.version_path = version_path();
    context.version = 1;
    context.config = std::move(config);
    context.instance_kinds = {kind};
    return context;
  }

  // Loads the model that `text` says and makes instance number `index` of it.
  absl::Status Load(const std::string& text, int index = 0,
                    InstanceKind kind = InstanceKind::kCpu) {
    auto config = NormalizedConfig(text);
    if (!config.ok()) return config.status();
    config_ = *config;
    auto backend = GetBackend(config_->backend());
    if (!backend.ok()) return backend.status();
    auto model = GuardedLoadModel(*backend, Context(config_, kind));
    if (!model.ok()) return model.status();
    model_ = *std::move(model);
    return MakeInstance(index);
  }

  absl::Status MakeInstance(int index) {
    InstanceContext context;
    context.name = "m_0";
    context.index = index;
    auto instance = GuardedCreateInstance(*model_, context);
    if (!instance.ok()) return instance.status();
    instance_ = *std::move(instance);
    return absl::OkStatus();
  }

  RequestBuilder Request() const { return RequestBuilder(config_); }

  absl::Status Execute(std::vector<RequestBuilder*> builders) {
    Batch batch;
    for (RequestBuilder* builder : builders) batch.Add(builder->Build());
    absl::Status status = GuardedExecute(*instance_, batch);
    for (size_t i = 0; i < batch.size(); ++i) {
      if (batch.Has(i) && !batch.request(i).answered()) batch.request(i).Fail(status);
    }
    return status;
  }

  std::filesystem::path root_;
  std::shared_ptr<BackendRegistry> registry_ = MakeRegistry({}, {});
  std::shared_ptr<const ModelConfig> config_;
  std::shared_ptr<Model> model_;
  std::unique_ptr<Instance> instance_;

 private:
  static std::shared_ptr<BackendRegistry> MakeRegistry(
      BackendSettings settings, std::function<void(std::string)> needs_new_process) {
    BackendRegistry::Options options;
    options.backend_directory = NEREID_BACKEND_DIR;
    options.global_settings = std::move(settings);
    options.needs_new_process = std::move(needs_new_process);
    return std::make_shared<BackendRegistry>(std::move(options));
  }
};

}  // namespace nereid::testing
