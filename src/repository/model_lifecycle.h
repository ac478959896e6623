#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
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
  std::string reason;
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
//     reaper's thread.
//  3. Loads on one model do not overlap: the caller sees to that. Loads on different models and all
//     other calls may come from any thread at any time.
//  4. No lock is held while the loader, a servable or a callback runs.
class ModelLifecycle : public std::enable_shared_from_this<ModelLifecycle> {
 public:
  struct Options {
    Loader* loader = nullptr;
    LoadExecutor* executor = nullptr;  // outlives every load
    Reaper* reaper = nullptr;          // outlives the object
    ServingMap* serving = nullptr;     // outlives the object
    int retry_count = 0;               // further attempts for each version
  };
  static std::shared_ptr<ModelLifecycle> Create(const Options& options);

  // `done` runs once, on an executor thread. INVALID_ARGUMENT with one clause a failed version.
  void Load(LoadPlan plan, std::function<void(absl::Status)> done);
  // Takes READY versions out of the map.
  void Unload(const ModelKey& key);
  // As Unload() for everything.
  void UnloadAll();
  // Loads in progress are out-dated: attempts not begun are skipped, results dropped. From now on,
  // or for one model, until it is loaded again.
  void SupersedeAll();
  void Supersede(const ModelKey& key);

  // Versions of `key`, ascending; none when it is unknown.
  std::vector<VersionStatus> Versions(const ModelKey& key) const;
  std::vector<std::pair<ModelKey, std::vector<VersionStatus>>> AllModels() const;

  // Versions that are loaded, serving or not.
  int64_t LiveCount() const;
  // False when there are still live versions at `deadline`.
  bool WaitUntilNoneLive(std::chrono::steady_clock::time_point deadline) const;
  // Live versions with requests that are not answered yet, by name and version.
  std::vector<InFlightVersion> InFlight() const;

 private:
  struct Batch;  // one Load() under way
  struct VersionRecord {
    VersionState state = VersionState::kUnknown;
    std::string reason;
    uint64_t incarnation = 0;  // which loaded object the record speaks of
    ServableHandle handle;     // null unless READY
  };
  using ModelRecord = std::map<int64_t, VersionRecord>;
  struct Live {
    ModelKey key;
    int64_t version = 0;
    std::weak_ptr<Servable> servable;
  };
  struct Loaded {
    uint64_t incarnation = 0;
    ServableHandle handle;
  };

  explicit ModelLifecycle(const Options& options) : options_(options) {}

  bool Outdated(const Batch& batch) const;
  void LoadVersion(const std::shared_ptr<Batch>& batch, size_t index);
  absl::StatusOr<std::shared_ptr<Servable>> TryLoad(const Batch& batch, const LoadRequest& request);
  Loaded Adopt(const Batch& batch, const LoadRequest& request, std::shared_ptr<Servable> servable);
  void Commit(Batch& batch);
  absl::Status Fail(Batch& batch);
  void Exchange(Batch& batch);
  void Released(const ModelKey& key, int64_t version, uint64_t incarnation);
  static void Apply(VersionEvent event, std::string reason, VersionRecord& record);
  void UnloadLocked(const ModelKey& key, ModelRecord& model, std::vector<ServableHandle>& leaving);
  void Publish(const ModelKey& key, const ModelRecord& model);

  const Options options_;

  mutable std::mutex mutex_;
  mutable std::condition_variable released_;
  // Guarded by mutex_.
  std::map<ModelKey, ModelRecord> models_;
  std::map<uint64_t, Live> live_;  // by incarnation
  uint64_t next_incarnation_ = 1;
  uint64_t superseded_all_ = 0;              // grows with each SupersedeAll()
  std::map<ModelKey, uint64_t> superseded_;  // grows with each Supersede()
};

}  // namespace nereid
