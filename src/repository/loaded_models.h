#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "repository/model_key.h"
#include "repository/model_source.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// What the last successful load of a model was made from.
struct LoadedModel {
  std::optional<ChangeToken> token;  // none: made from files that a client sent
  std::shared_ptr<const inference::ModelConfig> config;
  std::string config_json = {};  // that a client sent; empty: none
  std::string folder = {};       // of the files that a client sent; empty: none
};

// What every loaded model was made from, and which models could not even be read. Any thread.
class LoadedModels {
 public:
  std::optional<LoadedModel> Get(const ModelKey& key) const;
  void Set(const ModelKey& key, LoadedModel model);
  void Remove(const ModelKey& key);
  std::map<ModelKey, LoadedModel> All() const;
  // Keys of the models called `name`.
  std::set<ModelKey> Named(const std::string& name) const;

  // Why the files of `name` could not be used when last looked at; nothing removes the entry.
  void SetPollFailure(const std::string& name, std::optional<absl::Status> failure);
  std::map<std::string, absl::Status> PollFailures() const;

 private:
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<ModelKey, LoadedModel> loaded_;
  std::map<std::string, absl::Status> poll_failures_;
};

}  // namespace nereid
