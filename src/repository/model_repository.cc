#include "repository/model_repository.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "repository/load_operation.h"
#include "repository/override_folder.h"

namespace nereid {
namespace {

constexpr char kShuttingDown[] = "Server exiting";

void LogFailure(const absl::Status& status) {
  if (!status.ok()) {
    NLOG(Error) << status.message();
  }
}

bool LoadsOrServes(const ModelStatus& model) {
  return std::any_of(model.versions.begin(), model.versions.end(), [](const VersionStatus& v) {
    return v.state == VersionState::kReady || v.state == VersionState::kLoading;
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelRepository>> ModelRepository::Create(
    RepositoryOptions options) {
  NEREID_ASSIGN_OR_RETURN(SourceCatalog::Sources sources, OpenSources(options));
  return std::unique_ptr<ModelRepository>(
      new ModelRepository(std::move(options), std::move(sources)));
}

ModelRepository::ModelRepository(RepositoryOptions options, SourceCatalog::Sources sources)
    : options_(std::move(options)),
      catalog_(std::move(sources), options_.namespacing),
      serving_(options_.namespacing),
      reaper_(std::make_unique<Reaper>()),
      executor_(std::make_unique<LoadExecutor>(options_.load_thread_count, "nereid-load")),
      lifecycle_(ModelLifecycle::Create({.loader = options_.loader,
                                         .executor = executor_.get(),
                                         .reaper = reaper_.get(),
                                         .serving = &serving_,
                                         .retry_count = options_.load_retry_count})),
      operations_(std::make_unique<OperationQueue>(executor_.get())) {}

ModelRepository::~ModelRepository() {
  BeginShutdown();
  operations_.reset();
  executor_.reset();
  UnloadAll();
  reaper_.reset();
}

absl::Status ModelRepository::LoadStartupModels() {
  absl::StatusOr<std::vector<RequestedModel>> models = StartupModels();
  if (!models.ok()) {
    NLOG(Error) << models.status().message();
  } else if (LoadAndWait(*std::move(models)) == 0) {
    return absl::OkStatus();
  }
  return absl::InternalError("failed to load all models");
}

absl::StatusOr<std::vector<RequestedModel>> ModelRepository::StartupModels() const {
  const std::vector<std::string>& wanted = options_.startup_models;
  const bool explicit_mode = options_.control_mode == ModelControlMode::kExplicit;
  if (explicit_mode && options_.requested_models) return *options_.requested_models;
  const bool all = !explicit_mode || (wanted.size() == 1 && wanted[0] == "*");
  std::set<std::string> names(wanted.begin(), wanted.end());
  if (all) {
    const SourceCatalog::Listing listing = catalog_.List();
    if (!listing.unreadable.empty()) return listing.unreadable.begin()->second;
    names.clear();
    for (const auto& [name, places] : listing.models) names.insert(name);
  }
  std::vector<RequestedModel> models;
  for (const std::string& name : names) models.push_back({name, {}});
  return models;
}

int ModelRepository::LoadAndWait(std::vector<RequestedModel> models) {
  std::mutex mutex;
  std::condition_variable ended;
  size_t remaining = models.size();
  int failed = 0;
  for (RequestedModel& model : models) {
    EnqueueLoad(model.name, std::move(model.with), [&](const absl::Status& status) {
      LogFailure(status);
      const std::lock_guard lock(mutex);
      failed += status.ok() ? 0 : 1;
      if (--remaining == 0) ended.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  ended.wait(lock, [&] { return remaining == 0; });
  return failed;
}

std::vector<RequestedModel> ModelRepository::HandOver() {
  BeginShutdown();
  std::map<std::string, RequestedModel> models;  // one for all places of a name
  for (const auto& [key, from] : loaded_.All()) {
    RequestedModel& model =
        models.try_emplace(key.name, RequestedModel{key.name, {}}).first->second;
    model.with.config_json = from.config_json;
    if (from.folder.empty()) continue;
    auto files = ReadOverrideFolder(*options_.files, from.folder);
    LogFailure(options_.files->RemoveAll(from.folder));
    if (!files.ok()) {
      NLOG(Error) << "model '" << key.name << "' is not handed over: " << files.status().message();
      models.erase(key.name);
    } else {
      model.with.files = *std::move(files);
    }
  }
  std::vector<RequestedModel> all;
  for (auto& [name, model] : models) all.push_back(std::move(model));
  return all;
}

void ModelRepository::StartWatching() {
  if (options_.control_mode != ModelControlMode::kPoll || options_.poll_interval.count() <= 0) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (shutting_down_) return;
  watcher_ = std::make_unique<RepositoryWatcher>(options_.poll_interval, [this] { Poll([] {}); });
}

absl::Status ModelRepository::CheckExplicit() const {
  if (options_.control_mode == ModelControlMode::kExplicit) return absl::OkStatus();
  return absl::UnavailableError(
      "explicit model load / unload is not allowed if polling is enabled");
}

bool ModelRepository::ShuttingDown() const {
  const std::lock_guard lock(mutex_);
  return shutting_down_;
}

void ModelRepository::Load(const std::string& name, ModelOverride with, Done done) {
  absl::Status status = CheckExplicit();
  status.Update(CheckModelName(name));
  status.Update(CheckOverride(with));
  if (!status.ok()) return done(std::move(status));
  EnqueueLoad(name, std::move(with), std::move(done));
}

void ModelRepository::Unload(const std::string& name, bool /*unload_dependents*/, Done done) {
  if (absl::Status status = CheckExplicit(); !status.ok()) return done(std::move(status));
  EnqueueUnload(name, {}, std::move(done));
}

void ModelRepository::EnqueueLoad(const std::string& name, ModelOverride with, Done done) {
  if (ShuttingDown()) return done(absl::UnavailableError(kShuttingDown));
  operations_->Enqueue(name, [this, name, with = std::move(with),
                              done = std::move(done)](OperationQueue::Finish finish) {
    if (ShuttingDown()) {
      return finish([&] { done(absl::UnavailableError(kShuttingDown)); });
    }
    const LoadContext context = {&options_, &catalog_, lifecycle_.get(), &loaded_};
    StartLoad(context, name, with, [done, finish = std::move(finish)](absl::Status status) {
      finish([&] { done(std::move(status)); });
    });
  });
}

void ModelRepository::EnqueueUnload(const std::string& name, std::set<ModelKey> keys, Done done) {
  if (ShuttingDown()) return done(absl::UnavailableError(kShuttingDown));
  operations_->Enqueue(name, [this, name, keys = std::move(keys),
                              done = std::move(done)](const OperationQueue::Finish& finish) {
    for (const ModelKey& key : keys.empty() ? loaded_.Named(name) : keys) {
      lifecycle_->Unload(key);
      loaded_.Remove(key);
    }
    finish([&] { done(absl::OkStatus()); });
  });
}

std::vector<ModelKey> ModelRepository::Vanished(const SourceCatalog::Listing& listing) const {
  std::vector<ModelKey> vanished;
  for (const ModelStatus& model : lifecycle_->AllModels()) {
    const auto found = listing.models.find(model.key.name);
    const bool ambiguous = found != listing.models.end() && catalog_.IsAmbiguous(found->second);
    if (LoadsOrServes(model) && (ambiguous || listing.Lacks(model.key))) {
      vanished.push_back(model.key);
    }
  }
  return vanished;
}

void ModelRepository::Poll(std::function<void()> done) {
  const SourceCatalog::Listing listing = catalog_.List();
  for (const auto& [path, status] : listing.unreadable) {
    NLOG(Error) << "failed to poll model repository: " << status.message();
  }
  // Whoever goes last runs `done`: this call holds one share itself.
  const std::shared_ptr<const void> share(nullptr,
                                          [done = std::move(done)](const void*) { done(); });
  const Done part = [share](const absl::Status& status) { LogFailure(status); };
  for (const ModelKey& key : Vanished(listing)) {
    lifecycle_->Supersede(key);
    EnqueueUnload(key.name, {key}, part);
  }
  for (const auto& [name, places] : listing.models) {
    if (catalog_.IsAmbiguous(places)) {
      NLOG(Error) << "failed to poll model '" << name
                  << "': not unique across all model repositories";
    } else if (!operations_->Busy(name)) {
      EnqueueLoad(name, {}, part);
    }
  }
}

void ModelRepository::BeginShutdown() {
  std::unique_ptr<RepositoryWatcher> watcher;
  {
    const std::lock_guard lock(mutex_);
    shutting_down_ = true;
    watcher = std::move(watcher_);
  }
  lifecycle_->SupersedeForGood();
}

}  // namespace nereid
