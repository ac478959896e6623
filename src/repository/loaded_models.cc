#include "repository/loaded_models.h"

#include <utility>

namespace nereid {

std::optional<LoadedModel> LoadedModels::Get(const ModelKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = loaded_.find(key);
  if (found == loaded_.end()) return std::nullopt;
  return found->second;
}

void LoadedModels::Set(const ModelKey& key, LoadedModel model) {
  const std::lock_guard lock(mutex_);
  loaded_[key] = std::move(model);
}

void LoadedModels::Remove(const ModelKey& key) {
  const std::lock_guard lock(mutex_);
  loaded_.erase(key);
}

std::map<ModelKey, LoadedModel> LoadedModels::All() const {
  const std::lock_guard lock(mutex_);
  return loaded_;
}

std::set<ModelKey> LoadedModels::Named(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  std::set<ModelKey> keys;
  for (const auto& [key, model] : loaded_) {
    if (key.name == name) keys.insert(key);
  }
  return keys;
}

void LoadedModels::SetPollFailure(const std::string& name, std::optional<absl::Status> failure) {
  const std::lock_guard lock(mutex_);
  if (failure) {
    poll_failures_[name] = *std::move(failure);
  } else {
    poll_failures_.erase(name);
  }
}

std::map<std::string, absl::Status> LoadedModels::PollFailures() const {
  const std::lock_guard lock(mutex_);
  return poll_failures_;
}

}  // namespace nereid
