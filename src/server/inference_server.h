#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "infer/model_resolver.h"
#include "infer/model_statistics.h"
#include "infer/servable.h"
#include "memory/shared_memory.h"
#include "nereid/request.h"

namespace nereid {

struct ServerMetadata {
  std::string name;
  std::string version;
  std::vector<std::string> extensions;
};

// One row of the repository index.
struct IndexRow {
  std::string name;
  std::string version;  // empty: never loaded
  std::string
      state;  // "READY", "UNAVAILABLE", "LOADING", "UNLOADING", "UNKNOWN"; empty: never loaded
  std::string reason;
};

struct StatisticsRow {
  std::string name;
  std::string name_space;  // empty unless names may repeat across repositories
  std::shared_ptr<const ModelConfig> config;
  int64_t version = 0;
  ModelStatistics::Snapshot statistics;
  MemoryEstimate memory_usage;
};

// What a load request may replace (model repository extension).
struct LoadOverrides {
  std::string config_json;                   // empty: the repository's own
  std::map<std::string, std::string> files;  // relative path → content
};

// For a load request that gives a configuration without content: LoadOverrides cannot say that.
inline absl::Status EmptyConfigOverride() {
  return absl::InvalidArgumentError("Invalid config override: the text is empty");
}

// What the frontends know of the server: everything a client can ask for, free of any protocol. All
// calls may come from any thread and none blocks on inference, loading or unloading. Errors carry
// the texts of the protocol and canonical codes.
class InferenceServer {
 public:
  virtual ~InferenceServer() = default;

  // OK while serving; UNAVAILABLE "Server exiting" once shutting down; other errors: not live.
  virtual absl::Status Live() const = 0;
  // True when every model that should serve does (strict readiness), see server lifecycle.
  virtual absl::StatusOr<bool> Ready() const = 0;
  virtual absl::StatusOr<bool> ModelReady(std::string_view model, int64_t version) const = 0;

  virtual absl::StatusOr<ServerMetadata> Metadata() const = 0;
  // READY versions of `model`, ascending.
  virtual absl::StatusOr<std::vector<int64_t>> ReadyVersions(std::string_view model) const = 0;
  // Lock-free; for inference, metadata and configuration.
  virtual absl::StatusOr<ServableHandle> Resolve(std::string_view model, int64_t version) const = 0;
  // Of one model (all its READY versions when `version` is kLatestVersion), or of all when `model`
  // is empty.
  virtual absl::StatusOr<std::vector<StatisticsRow>> Statistics(std::string_view model,
                                                                int64_t version) const = 0;

  virtual absl::StatusOr<std::vector<IndexRow>> RepositoryIndex(bool ready_only) const = 0;
  using Done = std::function<void(absl::Status)>;
  // `done` runs once, on any thread, when the model is READY or has failed.
  virtual void LoadModel(std::string model, LoadOverrides overrides, Done done) = 0;
  // `done` runs once its versions are out of the serving map; the rest goes on by itself.
  virtual void UnloadModel(std::string model, bool unload_dependents, Done done) = 0;

  // The regions of memory that clients share with this server; outlives every request.
  virtual SharedMemoryRegistry& shared_memory() = 0;

  // Admits the request (draining? cancelled? deadline passed?) and submits it. Always answered
  // through the request's sink.
  virtual void Infer(ServableHandle servable, std::unique_ptr<InferRequest> request) noexcept = 0;
};

}  // namespace nereid
