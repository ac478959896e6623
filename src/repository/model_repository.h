#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "repository/load_executor.h"
#include "repository/loaded_models.h"
#include "repository/model_index.h"
#include "repository/model_lifecycle.h"
#include "repository/operation_queue.h"
#include "repository/reaper.h"
#include "repository/repository_options.h"
#include "repository/repository_watcher.h"
#include "repository/serving_map.h"
#include "repository/source_catalog.h"

namespace nereid {

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
  void Load(const std::string& name, ModelOverride with, Done done);
  // Unloads `name` if it is loaded, after the operations on it that came before. No model depends
  // on another one, so that `unload_dependents` finds nothing further. Explicit mode only.
  void Unload(const std::string& name, bool unload_dependents, Done done);
  // Compares all sources with what is loaded; `done` runs when everything this began has ended.
  // Models with an operation under way are left to the next poll.
  void Poll(std::function<void()> done);

  const ServingMap& serving() const { return serving_; }
  const ModelLifecycle& lifecycle() const { return *lifecycle_; }
  bool AllModelsReady() const { return AllReady(lifecycle_->AllModels()); }
  absl::StatusOr<std::vector<ModelIndexRow>> Index(bool ready_only) const {
    return MakeIndex(catalog_, *lifecycle_, ready_only);
  }
  std::vector<ModelTableRow> Table() const { return MakeTable(*lifecycle_, loaded_); }
  // For a process that ends without unloading: begins to shut down, and gives what is loaded, with
  // what clients brought, so that another repository can load it (RepositoryOptions). Files that
  // clients sent are gone from the disk afterwards. Names the models that could not be read.
  std::vector<RequestedModel> HandOver();

  // Operations that run or wait.
  int64_t OperationCount() const { return operations_->Count(); }

  // Refuses further operations, stops polling, supersedes loads in progress.
  void BeginShutdown();
  // Takes every version out of the serving map; the rest goes on by itself.
  void UnloadAll() { lifecycle_->UnloadAll(); }

 private:
  ModelRepository(RepositoryOptions options, SourceCatalog::Sources sources);

  absl::Status CheckExplicit() const;
  bool ShuttingDown() const;
  absl::StatusOr<std::vector<RequestedModel>> StartupModels() const;
  // Waits for all of them; how many failed.
  int LoadAndWait(std::vector<RequestedModel> models);
  void EnqueueLoad(const std::string& name, ModelOverride with, Done done);
  // Everything called `name`, or only `keys`.
  void EnqueueUnload(const std::string& name, std::set<ModelKey> keys, Done done);
  // Models that serve or load and that `listing` shows to be gone or ambiguous.
  std::vector<ModelKey> Vanished(const SourceCatalog::Listing& listing) const;

  const RepositoryOptions options_;
  const SourceCatalog catalog_;
  LoadedModels loaded_;
  ServingMap serving_;

  mutable std::mutex mutex_;
  bool shutting_down_ = false;                  // guarded by mutex_
  std::unique_ptr<RepositoryWatcher> watcher_;  // guarded by mutex_

  // Each uses those above it.
  std::unique_ptr<Reaper> reaper_;
  std::unique_ptr<LoadExecutor> executor_;
  std::shared_ptr<ModelLifecycle> lifecycle_;
  std::unique_ptr<OperationQueue> operations_;
};

}  // namespace nereid
