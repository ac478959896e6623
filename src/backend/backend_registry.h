#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/find_library.h"
#include "nereid/backend.h"

namespace nereid {

// The backends of this process. A module is opened when the first model needs it and then serves
// every model that resolves to the same file; its backend lives as long as the registry, and longer
// while a model still holds it. Any thread; one module is opened by one thread while others that
// want it wait.
class BackendRegistry {
 public:
  struct Options {
    std::string backend_directory;
    BackendSettings global_settings;
    std::map<std::string, BackendSettings> settings;  // by backend; these win over the global ones
    // What a backend of that name publishes through; may be empty.
    std::function<std::shared_ptr<BackendMetrics>(const std::string& backend)> make_metrics;
    // BackendContext::needs_new_process of all backends; may be empty.
    std::function<void(std::string reason)> needs_new_process;
  };

  // A module in use, for the start-up table.
  struct LoadedModule {
    std::string backend;
    std::string path;
    BackendSettings settings;
  };

  explicit BackendRegistry(Options options) : options_(std::move(options)) {}
  BackendRegistry(const BackendRegistry&) = delete;
  BackendRegistry& operator=(const BackendRegistry&) = delete;

  // The backend for that model, opened if need be. A failure is not remembered: the next query
  // tries again. INVALID_ARGUMENT when no file is found or it lies outside the folders searched.
  absl::StatusOr<std::shared_ptr<Backend>> Get(const BackendQuery& query);

  // Ordered by backend.
  std::vector<LoadedModule> Loaded() const;

  // Global settings overlaid by those of `backend`.
  BackendSettings SettingsOf(const std::string& backend) const;

 private:
  using Result = absl::StatusOr<std::shared_ptr<Backend>>;
  struct Entry {
    std::string backend;
    std::shared_future<Result> result;
    bool loaded = false;
  };

  Result Load(const std::string& path, const std::string& backend) const;

  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by canonical path; guarded by mutex_
};

}  // namespace nereid
