#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/strings.h"
#include "repository/model_source.h"
#include "support/temp_directory.h"

namespace nereid::testing {

// Models in a directory of the test's own. Their files are real; when something has changed is said
// by the test and not by the disk's clock.
class FakeSource : public ModelSource {
 public:
  // A model that needs no completion; `config` is added to its configuration.
  void Add(const std::string& name, const std::set<int64_t>& versions,
           const std::string& config = "") {
    const std::lock_guard lock(mutex_);
    directory_.Write(name + "/config.pbtxt", StrCat("backend: \"fake\"\n", config));
    ChangeToken& token = models_[name];
    token.config = ++now_;
    token.folder = ++now_;
    for (const int64_t version : versions) AddVersionLocked(name, version);
  }
  void SetConfig(const std::string& name, const std::string& config) {
    const std::lock_guard lock(mutex_);
    directory_.Write(name + "/config.pbtxt", config);
    models_[name].config = ++now_;
  }
  void AddVersion(const std::string& name, int64_t version) {
    const std::lock_guard lock(mutex_);
    AddVersionLocked(name, version);
    models_[name].folder = ++now_;
  }
  void RemoveVersion(const std::string& name, int64_t version) {
    const std::lock_guard lock(mutex_);
    directory_.Remove(StrCat(name, "/", version));
    models_[name].versions.erase(version);
    models_[name].folder = ++now_;
  }
  void TouchVersion(const std::string& name, int64_t version) {
    const std::lock_guard lock(mutex_);
    models_[name].versions[version] = ++now_;
  }
  void TouchShared(const std::string& name) {
    const std::lock_guard lock(mutex_);
    models_[name].shared = ++now_;
  }
  void Remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    directory_.Remove(name);
    models_.erase(name);
  }
  void SetReadable(bool readable) {
    const std::lock_guard lock(mutex_);
    readable_ = readable;
  }

  const std::string& path() const override { return directory_.path(); }
  absl::StatusOr<std::vector<std::string>> ListModels() const override {
    const std::lock_guard lock(mutex_);
    if (!readable_) return Unreadable();
    std::vector<std::string> names;
    for (const auto& [name, token] : models_) names.push_back(name);
    return names;
  }
  absl::StatusOr<bool> HasModel(std::string_view model) const override {
    const std::lock_guard lock(mutex_);
    if (!readable_) return Unreadable();
    return models_.contains(model);
  }
  absl::StatusOr<std::vector<int64_t>> ListVersions(std::string_view model) const override {
    const std::lock_guard lock(mutex_);
    return VersionsLocked(model);
  }
  absl::StatusOr<ModelFolder> Materialise(std::string_view model) const override {
    const std::lock_guard lock(mutex_);
    return ModelFolder{JoinPath(directory_.path(), model), VersionsLocked(model), nullptr};
  }
  absl::StatusOr<ChangeToken> Token(std::string_view model, std::string_view) const override {
    const std::lock_guard lock(mutex_);
    if (!readable_) return Unreadable();
    return models_.find(model)->second;
  }

 private:
  absl::Status Unreadable() const {
    return absl::InternalError(StrCat("failed to open directory ", directory_.path()));
  }
  void AddVersionLocked(const std::string& name, int64_t version) {
    directory_.MakeDirectory(StrCat(name, "/", version));
    models_[name].versions[version] = ++now_;
  }
  std::vector<int64_t> VersionsLocked(std::string_view model) const {
    std::vector<int64_t> versions;
    for (const auto& [version, time] : models_.find(model)->second.versions) {
      versions.push_back(version);
    }
    return versions;
  }

  const TempDirectory directory_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::string, ChangeToken, std::less<>> models_;
  int64_t now_ = 0;
  bool readable_ = true;
};

}  // namespace nereid::testing
