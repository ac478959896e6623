#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "repository/load_executor.h"
#include "repository/model_inspector.h"
#include "repository/model_key.h"
#include "repository/model_lifecycle.h"
#include "repository/model_source.h"
#include "repository/operation_queue.h"
#include "repository/reaper.h"
#include "repository/repository_options.h"
#include "repository/repository_watcher.h"
#include "repository/serving_map.h"

namespace nereid {

// One row of the repository index.
struct ModelIndexRow {
  std::string name;
  std::optional<int64_t> version;     // absent: never loaded
  std::optional<VersionState> state;  // absent: never loaded
  std::string reason;
};

// One row of the table printed at start-up.
struct ModelTableRow {
  std::string name;     // with its namespace
  std::string version;  // "-": none
  std::string status;   // "READY", "<STATE>: <reason>", "Not loaded: <why>"
};

// Keeps the models that serve in step with the sources, and with what clients ask for.
//
// Guarantees
//  1. Operations on one name run one after another, those on different names side by side.
//  2. A reload leaves no gap: the old version serves until the new one is READY, and stays when
//  that
//     fails. Loading what has not changed since it was loaded does nothing and succeeds.
//  3. A poll that finds a model gone supersedes its load in progress, and so does shutting down.
//  4. No call waits for a model to load, except LoadStartupModels() and the destructor.
// Any thread, unless said otherwise.
class ModelRepository {
 public:
  using Done = std::function<void(absl::Status)>;

  static absl::StatusOr<std::unique_ptr<ModelRepository>> Create(RepositoryOptions options);
  // Begins to shut down, waits for loads that run, unloads everything.
  ~ModelRepository();
  ModelRepository(const ModelRepository&) = delete;
  ModelRepository& operator=(const ModelRepository&) = delete;

  // Loads what the control mode says and waits for it. INTERNAL "failed to load all models" when
  // any of it is not READY afterwards; the rest serves. Once.
  absl::Status LoadStartupModels();
  // Begins to poll (poll mode with an interval; otherwise nothing). Once, after
  // LoadStartupModels().
  void StartWatching();

  // Loads `name`, or reloads it when something has changed. Explicit mode only. `done` runs once,
  // on any thread, maybe before this returns.
  void Load(std::string name, ModelOverride with, Done done);
  // Unloads `name` if it is loaded; waits for operations on it that came before. No model depends
  // on another one, so `unload_dependents` finds nothing further to unload. Explicit mode only.
  void Unload(std::string name, bool unload_dependents, Done done);
  // Compares all sources with what is loaded; `done` runs when everything this began has ended.
  // Models with an operation under way are left to the next poll.
  void Poll(std::function<void()> done);

  const ServingMap& serving() const { return serving_; }
  // Every model that was loaded has versions, and each is READY or was unloaded on request.
  bool AllModelsReady() const;
  absl::StatusOr<std::vector<ModelIndexRow>> Index(bool ready_only) const;
  std::vector<ModelTableRow> Table() const;

  // Refuses further operations, stops polling, supersedes loads in progress.
  void BeginShutdown();
  // Takes every version out of the serving map; the rest goes on by itself.
  void UnloadAll();
  // Operations that run or wait.
  int64_t OperationCount() const { return operations_->Count(); }
  const ModelLifecycle& lifecycle() const { return *lifecycle_; }

 private:
  // What the last successful load of a model was made from.
  struct LoadedState {
    std::optional<ChangeToken> token;  // none: made from a client's files
    std::shared_ptr<const inference::ModelConfig> config;
    bool config_overridden = false;
  };
  using Sources = std::vector<std::shared_ptr<ModelSource>>;
  class LoadOperation;

  ModelRepository(RepositoryOptions options, Sources sources);

  ModelKey KeyFor(const ModelSource& source, const std::string& name) const;
  absl::StatusOr<std::vector<std::string>> StartupNames() const;
  // Names and where they are; `unreadable` receives the paths of sources that cannot be listed.
  std::map<std::string, Sources> ListSources(std::set<std::string>* unreadable) const;
  absl::StatusOr<Sources> FindSources(const std::string& name) const;

  void EnqueueLoad(const std::string& name, ModelOverride with, Done done);
  void EnqueueUnload(const std::string& name, Done done);
  void RunLoad(const std::string& name, ModelOverride with, Done done);
  absl::Status RunUnload(const std::string& name);
  void PollRemoved(const std::map<std::string, Sources>& found,
                   const std::set<std::string>& unreadable, const Done& done);

  std::optional<LoadedState> StateOf(const ModelKey& key) const;
  void SetState(const ModelKey& key, std::optional<LoadedState> state);
  void SetPollFailure(const std::string& name, std::optional<absl::Status> failure);
  std::set<ModelKey> LoadedKeys() const;
  absl::Status CheckExplicit() const;

  const RepositoryOptions options_;
  const Sources sources_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<ModelKey, LoadedState> loaded_;
  std::map<std::string, absl::Status> poll_failures_;  // by name: why it could not be read
  bool shutting_down_ = false;

  // In the order in which they may be destroyed from the bottom up.
  ServingMap serving_;
  std::unique_ptr<Reaper> reaper_;
  std::unique_ptr<LoadExecutor> executor_;
  std::shared_ptr<ModelLifecycle> lifecycle_;
  std::unique_ptr<OperationQueue> operations_;
  std::unique_ptr<RepositoryWatcher> watcher_;
};

}  // namespace nereid
