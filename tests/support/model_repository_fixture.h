#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "repository/model_repository.h"
#include "support/fake_loader.h"
#include "support/fake_source.h"
#include "support/waiter.h"

namespace nereid::testing {

// A repository over sources and a loader that the test holds.
class ModelRepositoryFixture : public ::testing::Test {
 protected:
  ModelRepositoryFixture() {
    options_.loader = &loader_;
    options_.temporary_directory = temporary_.path();
    options_.sources = {source_};
  }
  ~ModelRepositoryFixture() override {
    repository_.reset();
    EXPECT_EQ(loader_.record().alive(), 0);
    EXPECT_TRUE(FileSystem::Real().List(temporary_.path())->empty());
  }

  void Create(ModelControlMode mode) {
    options_.control_mode = mode;
    auto repository = ModelRepository::Create(options_);
    ASSERT_TRUE(repository.ok()) << repository.status();
    repository_ = *std::move(repository);
  }
  void StartExplicit() {
    Create(ModelControlMode::kExplicit);
    ASSERT_TRUE(repository_->LoadStartupModels().ok());
  }
  absl::Status Load(const std::string& name, ModelOverride with = {}) {
    Waiter<absl::Status> done;
    repository_->Load(name, std::move(with), [&](absl::Status s) { done.Set(std::move(s)); });
    return done.Wait();
  }
  absl::Status Unload(const std::string& name) {
    Waiter<absl::Status> done;
    repository_->Unload(name, false, [&](absl::Status s) { done.Set(std::move(s)); });
    return done.Wait();
  }
  void Poll() {
    Waiter<int> done;
    repository_->Poll([&] { done.Set(1); });
    done.Wait();
  }
  absl::StatusOr<ServableHandle> Resolve(const std::string& name,
                                         int64_t version = kLatestVersion) const {
    return repository_->serving().Resolve(name, version);
  }
  // Which servable serves, in the order in which the loader made them; 0: none.
  int Serial(const std::string& name, int64_t version = kLatestVersion) const {
    const auto found = Resolve(name, version);
    return found.ok() ? Recorded(*found).serial() : 0;
  }
  // "name:version STATE reason", or only the name; rows separated by "; ".
  std::string Index(bool ready_only = false) const {
    const auto rows = repository_->Index(ready_only);
    if (!rows.ok()) return rows.status().ToString();
    std::string text;
    for (const ModelIndexRow& row : *rows) {
      StrAppend(&text, text.empty() ? "" : "; ", row.name);
      if (row.version) StrAppend(&text, ":", *row.version);
      if (row.state) StrAppend(&text, " ", VersionStateName(*row.state));
      if (!row.reason.empty()) StrAppend(&text, " ", row.reason);
    }
    return text;
  }

  const TempDirectory temporary_;
  FakeLoader loader_;
  const std::shared_ptr<FakeSource> source_ = std::make_shared<FakeSource>();
  RepositoryOptions options_;
  std::unique_ptr<ModelRepository> repository_;
};

}  // namespace nereid::testing
