#include "repository/model_lifecycle.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "repository/status_text.h"

namespace nereid {
namespace {

constexpr char kOutdated[] =
    "Newer operation has been applied to the model lifecycle, current load operation is out-dated.";

// The reason a failed load leaves behind.
std::string ReasonText(const absl::Status& status) {
  return status.message() == kOutdated ? std::string(kOutdated) : StatusText(status);
}

}  // namespace

struct ModelLifecycle::Batch {
  LoadPlan plan;
  Done done;
  uint64_t superseded = 0;                      // of the model when the load began
  std::vector<absl::StatusOr<Loaded>> results;  // one a request of the plan
  std::atomic<size_t> remaining{0};

  // What went wrong, one clause a failed version; OK when nothing did.
  absl::Status Failure() const {
    std::string clauses;
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].ok()) continue;
      StrAppend(&clauses, clauses.empty() ? "" : " ", "version ", plan.load[i].version,
                " is at UNAVAILABLE state: ", ReasonText(results[i].status()), ";");
    }
    if (clauses.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        StrCat("load failed for model '", plan.key.name, "': ", clauses, "\n"));
  }
};

namespace {

template <typename Record>
void Apply(VersionEvent event, std::string reason, Record& record) {
  const std::optional<VersionState> next = NextState(record.state, event);
  if (!next) return;
  record.state = *next;
  record.reason = std::move(reason);
}

}  // namespace

std::shared_ptr<ModelLifecycle> ModelLifecycle::Create(const Options& options) {
  return std::shared_ptr<ModelLifecycle>(new ModelLifecycle(options));
}

void ModelLifecycle::Load(LoadPlan plan, Done done) {
  auto batch = std::make_shared<Batch>();
  batch->plan = std::move(plan);
  batch->done = std::move(done);
  const size_t count = batch->plan.load.size();
  batch->results.resize(count, absl::CancelledError(kOutdated));
  batch->remaining = count;
  Begin(*batch);
  if (count == 0)
    options_.executor->Post([self = shared_from_this(), batch] { self->Commit(*batch); });
  for (size_t i = 0; i < count; ++i) {
    options_.executor->Post([self = shared_from_this(), batch, i] {
      self->LoadVersion(*batch, i);
      if (batch->remaining.fetch_sub(1, std::memory_order_acq_rel) == 1) self->Commit(*batch);
    });
  }
}

void ModelLifecycle::Begin(Batch& batch) {
  const std::lock_guard lock(mutex_);
  ModelRecord& model = models_[batch.plan.key];
  batch.superseded = model.superseded;
  for (const LoadRequest& request : batch.plan.load) {
    VersionRecord& record = model.versions[request.version];
    Apply(VersionEvent::kLoad, "", record);
    if (record.state == VersionState::kLoading) record.incarnation = 0;
  }
  PublishLocked(batch.plan.key, model);
}

void ModelLifecycle::LoadVersion(Batch& batch, size_t index) {
  const LoadRequest& request = batch.plan.load[index];
  absl::StatusOr<std::shared_ptr<Servable>> servable = Attempt(batch, request);
  for (int retry = 0; retry < options_.retry_count && !servable.ok() && !Outdated(batch); ++retry) {
    NLOG(Warning) << "retrying to load '" << batch.plan.key.ToString() << "' version "
                  << request.version << " after: " << StatusText(servable.status());
    servable = Attempt(batch, request);
  }
  if (servable.ok()) {
    batch.results[index] = Adopt(batch, request, *std::move(servable));
    return;
  }
  NLOG(Error) << "failed to load '" << batch.plan.key.ToString() << "' version " << request.version
              << ": " << ReasonText(servable.status());
  batch.results[index] = servable.status();
}

absl::StatusOr<std::shared_ptr<Servable>> ModelLifecycle::Attempt(const Batch& batch,
                                                                  const LoadRequest& request) {
  if (Outdated(batch)) return absl::CancelledError(kOutdated);
  NLOG(Info) << "loading: " << batch.plan.key.ToString() << ":" << request.version;
  absl::StatusOr<std::shared_ptr<Servable>> servable = options_.loader->Load(request);
  if (servable.ok() && *servable == nullptr) return absl::InternalError("the loader made nothing");
  return servable;
}

ModelLifecycle::Loaded ModelLifecycle::Adopt(const Batch& batch, const LoadRequest& request,
                                             std::shared_ptr<Servable> servable) {
  Loaded loaded;
  {
    const std::lock_guard lock(mutex_);
    loaded.incarnation = next_incarnation_++;
    live_[loaded.incarnation] = {batch.plan.key, request.version, {}, false};
  }
  loaded.handle = options_.reaper->Wrap(
      std::move(servable),
      [owner = weak_from_this(), loader = options_.loader, lifetime = batch.plan.lifetime,
       key = batch.plan.key, version = request.version,
       incarnation = loaded.incarnation](std::shared_ptr<Servable> last) mutable {
        const std::shared_ptr<ModelLifecycle> self = owner.lock();
        // Without its owner, the loader may be gone as well.
        if (self != nullptr) loader->Unload(*last);
        last.reset();
        lifetime.reset();
        if (self != nullptr) self->Released(key, version, incarnation);
      });
  const std::lock_guard lock(mutex_);
  live_[loaded.incarnation].servable = loaded.handle;
  return loaded;
}

void ModelLifecycle::Commit(Batch& batch) {
  Handles leaving;
  absl::Status status = batch.Failure();
  {
    const std::lock_guard lock(mutex_);
    if (status.ok() && OutdatedLocked(batch)) {
      for (auto& result : batch.results) {
        if (result.ok()) leaving.push_back(std::move(result->handle));
        result = absl::CancelledError(kOutdated);
      }
      status = batch.Failure();
    }
    if (status.ok()) {
      ExchangeLocked(batch, leaving);
    } else {
      DropLocked(batch);
    }
  }
  leaving.clear();
  batch.results.clear();
  if (status.ok() && !batch.plan.load.empty()) {
    NLOG(Info) << "successfully loaded '" << batch.plan.key.ToString() << "'";
  }
  batch.plan.lifetime.reset();
  std::exchange(batch.done, nullptr)(std::move(status));
}

bool ModelLifecycle::Outdated(const Batch& batch) const {
  const std::lock_guard lock(mutex_);
  return OutdatedLocked(batch);
}

bool ModelLifecycle::OutdatedLocked(const Batch& batch) const {
  return superseded_for_good_ || models_.at(batch.plan.key).superseded != batch.superseded;
}

void ModelLifecycle::DropLocked(const Batch& batch) {
  ModelRecord& model = models_[batch.plan.key];
  for (size_t i = 0; i < batch.results.size(); ++i) {
    const absl::Status& status = batch.results[i].status();
    Apply(VersionEvent::kFailed,
          status.ok() ? "Unavailable: another version of the same load failed" : ReasonText(status),
          model.versions[batch.plan.load[i].version]);
  }
  PublishLocked(batch.plan.key, model);
}

void ModelLifecycle::ExchangeLocked(Batch& batch, Handles& leaving) {
  ModelRecord& model = models_[batch.plan.key];
  std::set<int64_t> serve = batch.plan.keep;
  for (size_t i = 0; i < batch.results.size(); ++i) {
    const int64_t version = batch.plan.load[i].version;
    VersionRecord& record = model.versions[version];
    serve.insert(version);
    leaving.push_back(std::move(record.handle));
    Apply(VersionEvent::kLoaded, "", record);
    record.incarnation = batch.results[i]->incarnation;
    live_[record.incarnation].has_served = true;
    record.handle = std::move(batch.results[i]->handle);
  }
  for (auto& [version, record] : model.versions) {
    if (serve.contains(version) || record.state != VersionState::kReady) continue;
    Apply(VersionEvent::kUnload, "", record);
    leaving.push_back(std::move(record.handle));
  }
  PublishLocked(batch.plan.key, model);
}

void ModelLifecycle::Unload(const ModelKey& key) {
  Handles leaving;  // let go after the lock
  const std::lock_guard lock(mutex_);
  if (const auto model = models_.find(key); model != models_.end()) {
    UnloadLocked(key, model->second, leaving);
  }
}

void ModelLifecycle::UnloadAll() {
  Handles leaving;
  const std::lock_guard lock(mutex_);
  for (auto& [key, model] : models_) UnloadLocked(key, model, leaving);
}

void ModelLifecycle::UnloadLocked(const ModelKey& key, ModelRecord& model, Handles& leaving) {
  for (auto& [version, record] : model.versions) {
    if (record.state != VersionState::kReady) continue;
    NLOG(Info) << "unloading: " << key.ToString() << ":" << version;
    Apply(VersionEvent::kUnload, "", record);
    leaving.push_back(std::move(record.handle));
  }
  PublishLocked(key, model);
}

void ModelLifecycle::Supersede(const ModelKey& key) {
  const std::lock_guard lock(mutex_);
  if (const auto model = models_.find(key); model != models_.end()) ++model->second.superseded;
}

void ModelLifecycle::SupersedeForGood() {
  const std::lock_guard lock(mutex_);
  superseded_for_good_ = true;
}

void ModelLifecycle::PublishLocked(const ModelKey& key, const ModelRecord& model) {
  ServingVersions versions;
  for (const auto& [version, record] : model.versions) {
    versions.push_back(
        std::make_shared<const ServingVersion>(version, record.state, record.handle));
  }
  options_.serving->Update(key, std::move(versions));
}

void ModelLifecycle::Released(const ModelKey& key, int64_t version, uint64_t incarnation) {
  bool has_served = false;
  {
    const std::lock_guard lock(mutex_);
    has_served = live_[incarnation].has_served;
    ModelRecord& model = models_[key];
    VersionRecord& record = model.versions[version];
    // A newer load may have taken the version over.
    if (record.incarnation == incarnation) {
      Apply(VersionEvent::kReleased, std::string(kUnloadedReason), record);
      PublishLocked(key, model);
    }
  }
  if (has_served) {
    NLOG(Info) << "successfully unloaded '" << key.ToString() << "' version " << version;
  }
  // Told last, under the lock: whoever waits for it may destroy this object.
  const std::lock_guard lock(mutex_);
  live_.erase(incarnation);
  released_.notify_all();
}

std::vector<VersionStatus> ModelLifecycle::Versions(const ModelKey& key) const {
  const std::lock_guard lock(mutex_);
  std::vector<VersionStatus> versions;
  const auto model = models_.find(key);
  if (model == models_.end()) return versions;
  for (const auto& [version, record] : model->second.versions) {
    versions.push_back({version, record.state, record.reason});
  }
  return versions;
}

std::vector<ModelStatus> ModelLifecycle::AllModels() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelStatus> models;
  for (const auto& [key, model] : models_) {
    ModelStatus& status = models.emplace_back(ModelStatus{key, {}});
    for (const auto& [version, record] : model.versions) {
      status.versions.push_back({version, record.state, record.reason});
    }
  }
  return models;
}

int64_t ModelLifecycle::LiveCount() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(live_.size());
}

bool ModelLifecycle::WaitUntilNoneLive(std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock lock(mutex_);
  return released_.wait_until(lock, deadline, [&] { return live_.empty(); });
}

std::vector<ModelLifecycle::Live> ModelLifecycle::AllLive() const {
  const std::lock_guard lock(mutex_);
  std::vector<Live> live;
  for (const auto& [incarnation, entry] : live_) live.push_back(entry);
  return live;
}

void ModelLifecycle::CloseAll() const {
  for (const Live& entry : AllLive()) {
    if (const ServableHandle servable = entry.servable.lock()) options_.loader->Unload(*servable);
  }
}

std::vector<InFlightVersion> ModelLifecycle::InFlight() const {
  std::vector<InFlightVersion> busy;
  for (const Live& entry : AllLive()) {
    const ServableHandle servable = entry.servable.lock();
    if (servable == nullptr) continue;
    if (const int64_t count = servable->InFlight(); count > 0) {
      busy.push_back({entry.key.ToString(), entry.version, count});
    }
  }
  std::sort(busy.begin(), busy.end(), [](const InFlightVersion& a, const InFlightVersion& b) {
    return std::tie(a.name, a.version) < std::tie(b.name, b.version);
  });
  return busy;
}

}  // namespace nereid
