#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/backend_registry.h"
#include "config/instance_groups.h"
#include "repository/loader.h"

namespace nereid {

// Loads model versions through the backend modules: completes and checks the configuration, places
// the instances and warms them up. Any thread.
class ModelLoader : public Loader {
 public:
  // A model version, as whoever measures it tells it from others.
  struct Measured {
    std::string_view name_space;
    const ModelConfig& config;
    int64_t version;
  };
  using ListenerFactory =
      std::function<std::unique_ptr<ModelStatistics::DurationListener>(const Measured& model)>;

  using MetricsFactory = std::function<std::shared_ptr<BackendMetrics>(const Measured& model)>;

  struct Options {
    BackendRegistry::Options backends;
    bool auto_complete = true;
    DeviceInventory devices;
    ListenerFactory make_listener;  // may be empty
    MetricsFactory make_metrics;    // what a version's backend publishes through; may be empty
  };

  explicit ModelLoader(Options options)
      : options_(std::move(options)), registry_(options_.backends) {}

  absl::StatusOr<MemoryEstimate> Estimate(const LoadRequest& request) override;
  absl::StatusOr<std::shared_ptr<Servable>> Load(const LoadRequest& request) override;
  void Unload(Servable& servable) override;

  const BackendRegistry& registry() const { return registry_; }

 private:
  // A model whose configuration is final, ready to be given to its backend.
  struct Prepared {
    std::shared_ptr<Backend> backend;
    ModelContext context;
  };
  absl::StatusOr<Prepared> Prepare(const LoadRequest& request);
  DeviceInventory DevicesFor(const Backend& backend) const;

  const Options options_;
  BackendRegistry registry_;
};

}  // namespace nereid
