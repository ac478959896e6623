#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "infer/servable.h"
#include "repository/load_executor.h"
#include "repository/loader.h"
#include "repository/model_key.h"
#include "repository/reaper.h"
#include "repository/serving_map.h"
#include "repository/version_state.h"

namespace nereid {

// Versions of one model that shall be brought up together.
struct LoadPlan {
  ModelKey key;
  std::vector<LoadRequest> load;         // one a version; none twice
  std::set<int64_t> keep;                // versions that serve now and go on doing so
  std::shared_ptr<const void> lifetime;  // keeps the files; held as long as the versions are
};

struct VersionStatus {
  int64_t version = 0;
  VersionState state = VersionState::kUnknown;
  std::string reason;  // of the last failure, also while an older load goes on serving
};

struct ModelStatus {
  ModelKey key;
  std::vector<VersionStatus> versions;  // ascending
};

struct InFlightVersion {
  std::string name;
  int64_t version = 0;
  int64_t in_flight = 0;
};

// What every version of every model is doing, and the only writer of the serving map.
//
// Guarantees
//  1. Load() is all or nothing: when every version of the plan has loaded, they take their places
//  in
//     one step and versions that are in neither list leave; when one fails, the new ones are
//     dropped and what served goes on serving.
//  2. A version that left the map is closed and destroyed after its last handle has gone, on the
//     reaper's thread: whoever has a handle can still use it.
//  3. No lock is held while the loader, a servable or a callback runs.
// Any thread; loads of one model must not overlap.
class ModelLifecycle : public std::enable_shared_from_this<ModelLifecycle> {
 public:
  using Done = std::function<void(absl::Status)>;

  // All of them outlive the object, and the executor every load.
  struct Options {
    Loader* loader = nullptr;
    LoadExecutor* executor = nullptr;
    Reaper* reaper = nullptr;
    ServingMap* serving = nullptr;
    int retry_count = 0;  // further attempts for each version
  };
  static std::shared_ptr<ModelLifecycle> Create(const Options& options);

  // `done` runs once, on an executor thread. INVALID_ARGUMENT with one clause a failed version.
  void Load(LoadPlan plan, Done done);
  // Takes READY versions out of the map.
  void Unload(const ModelKey& key);
  void UnloadAll();
  // Out-dates loads that have begun: attempts not made yet are skipped, results dropped.
  void Supersede(const ModelKey& key);
  // The same for every model, and for every load to come.
  void SupersedeForGood();

  // Versions of `key`; none when it is unknown.
  std::vector<VersionStatus> Versions(const ModelKey& key) const;
  // By key.
  std::vector<ModelStatus> AllModels() const;

  // Versions that are loaded, serving or not.
  int64_t LiveCount() const;
  // False when there are still live versions at `deadline`.
  bool WaitUntilNoneLive(std::chrono::steady_clock::time_point deadline) const;
  // Has every live version finish what it has, without waiting for more of the kind, and refuse
  // more.
  void CloseAll() const;
  // Live versions with requests that are not answered yet, by name and version.
  std::vector<InFlightVersion> InFlight() const;

 private:
  struct Batch;  // one Load() under way
  struct VersionRecord {
    VersionState state = VersionState::kUnknown;
    std::string reason;
    uint64_t incarnation = 0;  // of the loaded object this speaks of; 0: none
    ServableHandle handle;     // null unless READY
  };
  struct ModelRecord {
    std::map<int64_t, VersionRecord> versions;
    uint64_t superseded = 0;  // how often
  };
  struct Live {
    ModelKey key;
    int64_t version = 0;
    std::weak_ptr<Servable> servable;
    bool has_served = false;
  };
  struct Loaded {
    uint64_t incarnation = 0;
    ServableHandle handle;
  };
  using Handles = std::vector<ServableHandle>;

  explicit ModelLifecycle(const Options& options) : options_(options) {}

  void Begin(Batch& batch);
  void LoadVersion(Batch& batch, size_t index);
  std::vector<Live> AllLive() const;
  absl::StatusOr<std::shared_ptr<Servable>> Attempt(const Batch& batch, const LoadRequest& request);
  Loaded Adopt(const Batch& batch, const LoadRequest& request, std::shared_ptr<Servable> servable);
  void Commit(Batch& batch);
  bool Outdated(const Batch& batch) const;
  void Released(const ModelKey& key, int64_t version, uint64_t incarnation);

  // With mutex_ held.
  bool OutdatedLocked(const Batch& batch) const;
  void DropLocked(const Batch& batch);
  void ExchangeLocked(Batch& batch, Handles& leaving);
  void UnloadLocked(const ModelKey& key, ModelRecord& model, Handles& leaving);
  void PublishLocked(const ModelKey& key, const ModelRecord& model);

  const Options options_;

  mutable std::mutex mutex_;
  mutable std::condition_variable released_;
  // Guarded by mutex_.
  std::map<ModelKey, ModelRecord> models_;
  std::map<uint64_t, Live> live_;  // by incarnation
  uint64_t next_incarnation_ = 1;
  bool superseded_for_good_ = false;
};

}  // namespace nereid
