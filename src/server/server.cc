#include "server/server.h"

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "infer/request_validator.h"
#include "server/shutdown.h"

namespace nereid {
namespace {

IndexRow ToIndexRow(ModelIndexRow row) {
  return {.name = std::move(row.name),
          .version = row.version ? StrCat(*row.version) : "",
          .state = row.state ? std::string(VersionStateName(*row.state)) : "",
          .reason = std::move(row.reason)};
}

StatisticsRow ToStatisticsRow(const Servable& servable) {
  return {.name = servable.config()->name(),
          .name_space = std::string(servable.name_space()),
          .config = servable.config(),
          .version = servable.version(),
          .statistics = servable.statistics().Read(),
          .memory_usage = servable.memory_usage()};
}

}  // namespace

std::vector<std::string> DefaultExtensions() {
  return {"classification",
          "model_repository",
          "model_repository(unload_dependents)",
          "schedule_policy",
          "model_configuration",
          "system_shared_memory",
          "cuda_shared_memory",
          "binary_tensor_data",
          "parameters",
          "statistics",
          "logging"};
}

absl::StatusOr<std::unique_ptr<Server>> Server::Create(Options options) {
  NEREID_ASSIGN_OR_RETURN(std::unique_ptr<ModelRepository> repository,
                          ModelRepository::Create(options.repository));
  std::unique_ptr<Server> server(new Server(std::move(options), std::move(repository)));
  const absl::Status loaded = server->repository_->LoadStartupModels();
  if (!loaded.ok() && server->options_.exit_on_error) {
    server->Advance(ServerEvent::kFailed);
    return loaded;
  }
  if (!loaded.ok()) {
    NLOG(Error) << loaded.message();
  }
  server->Advance(ServerEvent::kInitialized);
  server->repository_->StartWatching();
  return server;
}

Server::Server(Options options, std::unique_ptr<ModelRepository> repository)
    : options_(std::move(options)),
      shared_memory_(options_.allow_client_shared_memory),
      repository_(std::move(repository)) {}

Server::~Server() {
  if (const absl::Status stopped = Stop(std::chrono::seconds(0)); !stopped.ok()) {
    NVLOG(1) << "server destroyed while models were in use";
  }
}

absl::Status Server::Stop(std::chrono::seconds exit_timeout) {
  if (!Advance(ServerEvent::kStop)) return absl::OkStatus();
  absl::Status status = DrainRepository(*repository_, exit_timeout);
  Advance(ServerEvent::kStopped);
  return status;
}

Server::Belongings Server::HandOver() {
  Advance(ServerEvent::kStop);
  Belongings all;
  all.models = repository_->HandOver();
  for (const SharedMemoryKind kind : {SharedMemoryKind::kSystem, SharedMemoryKind::kCuda}) {
    auto regions = shared_memory_.Status(kind, "");
    if (!regions.ok()) continue;
    for (SharedMemoryInfo& region : *regions) all.regions.push_back(std::move(region));
  }
  return all;
}

bool Server::Advance(ServerEvent event) {
  ServerState state = state_.load(std::memory_order_acquire);
  for (;;) {
    const std::optional<ServerState> next = NextState(state, event);
    if (!next) return false;
    if (state_.compare_exchange_weak(state, *next, std::memory_order_acq_rel)) return true;
  }
}

absl::Status Server::CheckServing() const {
  if (state() == ServerState::kReady) return absl::OkStatus();
  return absl::UnavailableError("Server not ready");
}

absl::Status Server::Live() const {
  switch (state()) {
    case ServerState::kReady:
      return absl::OkStatus();
    case ServerState::kExiting:
    case ServerState::kStopped:
      return absl::UnavailableError("Server exiting");
    default:
      return absl::FailedPreconditionError("Server not live");
  }
}

absl::StatusOr<bool> Server::Ready() const {
  const absl::Status live = Live();
  if (absl::IsUnavailable(live)) return live;
  if (!live.ok() || reports_not_ready_.load(std::memory_order_acquire)) return false;
  if (!options_.strict_readiness) return true;
  if (!repository_->AllModelsReady()) return false;
  for (const ServableHandle& servable : repository_->serving().AllReady()) {
    if (!servable->Healthy()) return false;
  }
  return true;
}

absl::StatusOr<bool> Server::ModelReady(std::string_view model, int64_t version) const {
  NEREID_RETURN_IF_ERROR(CheckServing());
  NEREID_ASSIGN_OR_RETURN(const ServableHandle servable, Resolve(model, version));
  return servable->Healthy();
}

absl::StatusOr<ServerMetadata> Server::Metadata() const {
  NEREID_RETURN_IF_ERROR(CheckServing());
  return ServerMetadata{options_.id, options_.version, options_.extensions};
}

absl::StatusOr<std::vector<int64_t>> Server::ReadyVersions(std::string_view model) const {
  NEREID_RETURN_IF_ERROR(CheckServing());
  return repository_->serving().ReadyVersions(model);
}

absl::StatusOr<ServableHandle> Server::Resolve(std::string_view model, int64_t version) const {
  return repository_->serving().Resolve(model, version);
}

absl::StatusOr<std::vector<StatisticsRow>> Server::Statistics(std::string_view model,
                                                              int64_t version) const {
  NEREID_RETURN_IF_ERROR(CheckServing());
  std::vector<StatisticsRow> rows;
  if (model.empty()) {
    for (const ServableHandle& servable : repository_->serving().AllReady()) {
      rows.push_back(ToStatisticsRow(*servable));
    }
    return rows;
  }
  const absl::StatusOr<std::vector<int64_t>> ready = repository_->serving().ReadyVersions(model);
  if (!ready.ok()) {
    return absl::InvalidArgumentError(StrCat("requested model '", model, "' is not available"));
  }
  for (const int64_t candidate : *ready) {
    if (version != kLatestVersion && version != candidate) continue;
    // It may have left since: then it has nothing to report.
    const absl::StatusOr<ServableHandle> servable = Resolve(model, candidate);
    if (servable.ok()) rows.push_back(ToStatisticsRow(**servable));
  }
  if (rows.empty() && version != kLatestVersion) {
    return absl::InvalidArgumentError(
        StrCat("requested model version is not available for model '", model, "'"));
  }
  return rows;
}

absl::StatusOr<std::vector<IndexRow>> Server::RepositoryIndex(bool ready_only) const {
  NEREID_RETURN_IF_ERROR(CheckServing());
  NEREID_ASSIGN_OR_RETURN(std::vector<ModelIndexRow> found, repository_->Index(ready_only));
  std::vector<IndexRow> rows;
  for (ModelIndexRow& row : found) rows.push_back(ToIndexRow(std::move(row)));
  return rows;
}

void Server::LoadModel(std::string model, LoadOverrides overrides, Done done) {
  if (absl::Status status = CheckServing(); !status.ok()) return done(std::move(status));
  repository_->Load(model, {std::move(overrides.config_json), std::move(overrides.files)},
                    std::move(done));
}

void Server::UnloadModel(std::string model, bool unload_dependents, Done done) {
  if (absl::Status status = CheckServing(); !status.ok()) return done(std::move(status));
  repository_->Unload(model, unload_dependents, std::move(done));
}

absl::Status Server::Admit(const InferRequest& request) const {
  if (state() != ServerState::kReady) {
    return absl::UnavailableError(StrCat(
        RequestIdPrefix(request),
        "Server is stopping, scheduler for model has stopped accepting new inference requests"));
  }
  if (request.IsCancelled()) {
    return absl::CancelledError(StrCat(RequestIdPrefix(request), "Request was cancelled"));
  }
  if (request.deadline != TimePoint::max() && request.deadline <= options_.clock->Now()) {
    return absl::DeadlineExceededError(
        StrCat(RequestIdPrefix(request), "Request deadline has passed"));
  }
  return absl::OkStatus();
}

void Server::Infer(ServableHandle servable, std::unique_ptr<InferRequest> request) noexcept {
  if (absl::Status status = Admit(*request); !status.ok()) {
    request->Fail(std::move(status));
    return;
  }
  // The request may end, and let its handle go, before Submit() returns: this one stays.
  request->servable_handle = servable;
  servable->Submit(std::move(request));
}

}  // namespace nereid
