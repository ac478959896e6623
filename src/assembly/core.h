#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assembly/process_state.h"
#include "config/server_options.h"
#include "model/model_loader.h"
#include "observability/metrics_registry.h"
#include "observability/published_metrics.h"
#include "server/server.h"

namespace nereid {

// The whole server but its frontends, put together from options. The program and every integration
// test start here.
class Core {
 public:
  // How the core is tied to the process around it.
  struct Surroundings {
    // Called, on any thread, once a backend cannot work any more in this process; may be empty.
    std::function<void(std::string reason)> needs_new_process;
    // What another process has left to this one; nullptr: nothing.
    const ProcessState* inherited = nullptr;
  };

  // Loads the start-up models and is READY when it returns. Fails when a model does and
  // `exit_on_error` is on. What was inherited is restored as far as possible: the rest is logged.
  static absl::StatusOr<std::unique_ptr<Core>> Create(const ServerOptions& options,
                                                      const Surroundings& surroundings);
  static absl::StatusOr<std::unique_ptr<Core>> Create(const ServerOptions& options) {
    return Create(options, Surroundings());
  }
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Server& server() { return *server_; }
  MetricsRegistry& metrics() { return *metrics_; }

  // Puts what another process needs to go on into `state`. Nothing serves any more: the process
  // ends, without this object being destroyed.
  void HandOver(ProcessState* state);

  // Backends, models and options in force, as text tables for the log.
  std::string StartupTables() const;

 private:
  explicit Core(const ServerOptions& options);

  const ServerOptions options_;
  // In order of construction; torn down from the bottom up.
  const std::unique_ptr<MetricsRegistry> metrics_;
  std::shared_ptr<PublishedMetrics> published_;  // null without a metrics endpoint
  std::unique_ptr<ModelLoader> loader_;
  std::unique_ptr<Server> server_;
  std::vector<std::shared_ptr<MetricSource>> sources_;
};

// Folder of the backend modules when no option names one: beside the executable, in the layout of
// the build tree or of an installation.
std::string DefaultBackendDirectory();

}  // namespace nereid
