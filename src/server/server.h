#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "memory/shared_memory.h"
#include "repository/model_repository.h"
#include "server/inference_server.h"
#include "server/server_state.h"

namespace nereid {

// What the server can do beyond the basic protocol, by the names clients look for.
std::vector<std::string> DefaultExtensions();

// The server: a repository and the rules of admission. Any thread.
class Server : public InferenceServer {
 public:
  struct Options {
    std::string id = "triton";  // `name` of the server metadata; what clients expect by default
    std::string version;
    std::vector<std::string> extensions = DefaultExtensions();
    bool strict_readiness = true;  // READY only while every model is
    bool exit_on_error = true;     // Create() fails when a start-up model does
    std::chrono::seconds exit_timeout{30};
    bool allow_client_shared_memory = false;
    RepositoryOptions repository;
    const TimeSource* clock = &TimeSource::Real();  // outlives the server
  };
  // Loads the start-up models; returns a server that is READY.
  static absl::StatusOr<std::unique_ptr<Server>> Create(Options options);
  // Stops first, with no patience, if Stop() was not called.
  ~Server() override;

  // Refuses new requests, waits for those in flight, unloads everything; both within
  // `exit_timeout`. INTERNAL "Exit timeout expired. Exiting immediately." when that is not enough.
  // A second call does nothing and is OK.
  absl::Status Stop(std::chrono::seconds exit_timeout);
  absl::Status Stop() { return Stop(options_.exit_timeout); }

  // Ready() is false from here on; nothing else changes.
  void ReportNotReady() { reports_not_ready_.store(true, std::memory_order_release); }
  // What another process needs to go on where this one ends, which it does without unloading: see
  // ModelRepository::HandOver(). Refuses new requests first; call when none is in flight.
  struct Belongings {
    std::vector<RequestedModel> models;
    std::vector<SharedMemoryInfo> regions;
  };
  Belongings HandOver();

  ServerState state() const { return state_.load(std::memory_order_acquire); }
  const Options& options() const { return options_; }
  // Rows of the start-up table of models.
  std::vector<ModelTableRow> ModelTable() const { return repository_->Table(); }
  const ModelRepository& repository() const { return *repository_; }

  absl::Status Live() const override;
  absl::StatusOr<bool> Ready() const override;
  absl::StatusOr<bool> ModelReady(std::string_view model, int64_t version) const override;
  absl::StatusOr<ServerMetadata> Metadata() const override;
  absl::StatusOr<std::vector<int64_t>> ReadyVersions(std::string_view model) const override;
  absl::StatusOr<ServableHandle> Resolve(std::string_view model, int64_t version) const override;
  absl::StatusOr<std::vector<StatisticsRow>> Statistics(std::string_view model,
                                                        int64_t version) const override;
  absl::StatusOr<std::vector<IndexRow>> RepositoryIndex(bool ready_only) const override;
  void LoadModel(std::string model, LoadOverrides overrides, Done done) override;
  void UnloadModel(std::string model, bool unload_dependents, Done done) override;
  SharedMemoryRegistry& shared_memory() override { return shared_memory_; }
  void Infer(ServableHandle servable, std::unique_ptr<InferRequest> request) noexcept override;

 private:
  Server(Options options, std::unique_ptr<ModelRepository> repository);

  // Moves on if `event` can happen now.
  bool Advance(ServerEvent event);
  absl::Status CheckServing() const;
  absl::Status Admit(const InferRequest& request) const;

  const Options options_;
  SharedMemoryRegistry shared_memory_;  // outlives the requests in the repository's models
  const std::unique_ptr<ModelRepository> repository_;
  std::atomic<ServerState> state_{ServerState::kInitializing};
  std::atomic<bool> reports_not_ready_{false};
};

}  // namespace nereid
