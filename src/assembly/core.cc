#include "assembly/core.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_join.h"
#include "assembly/duration_metrics.h"
#include "assembly/host_metrics.h"
#include "assembly/model_metrics.h"
#include "assembly/process_metrics.h"
#include "common/json_text.h"
#include "common/log.h"
#include "common/page_pool.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/text_table.h"
#include "memory/gpu_devices.h"
#include "observability/cpu_metrics.h"
#include "observability/gpu_metrics.h"

namespace nereid {
namespace {

DeviceInventory UsableDevices(const ServerOptions& options) {
  DeviceInventory devices;
  devices.min_compute_capability = options.min_compute_capability;
  for (const GpuDevice& gpu : GpuDevices()) {
    devices.gpu_support = true;
    if (gpu.compute_capability >= options.min_compute_capability) {
      devices.usable_gpus.push_back(gpu.ordinal);
    }
  }
  return devices;
}

BackendRegistry::Options BackendOptions(const ServerOptions& options) {
  BackendRegistry::Options backends;
  backends.backend_directory =
      options.backend_directory.empty() ? DefaultBackendDirectory() : options.backend_directory;
  for (const auto& [backend, settings] : options.backend_config) {
    if (backend.empty()) {
      backends.global_settings = settings;
    } else {
      backends.settings[backend] = settings;
    }
  }
  return backends;
}

RepositoryOptions MakeRepositoryOptions(const ModelRepositoryOptions& from, Loader* loader) {
  RepositoryOptions options;
  options.paths.assign(from.paths.begin(), from.paths.end());
  options.control_mode = from.control_mode;
  options.startup_models = from.startup_models;
  options.poll_interval = from.poll_interval;
  options.auto_complete_config = from.auto_complete_config;
  options.config_name = from.model_config_name;
  options.load_thread_count = from.load_thread_count;
  options.load_retry_count = from.load_retry_count;
  options.namespacing = from.namespacing;
  options.loader = loader;
  return options;
}

std::string SettingsJson(const BackendSettings& settings) {
  std::string json = "{\"cmdline\":{";
  bool first = true;
  for (const auto& [name, value] : settings) {
    if (!std::exchange(first, false)) json += ',';
    AppendJsonString(name, json);
    json += ':';
    AppendJsonString(value, json);
  }
  return json + "}}";
}

const char* ControlModeName(ModelControlMode mode) {
  switch (mode) {
    case ModelControlMode::kNone:
      return "MODE_NONE";
    case ModelControlMode::kPoll:
      return "MODE_POLL";
    case ModelControlMode::kExplicit:
      break;
  }
  return "MODE_EXPLICIT";
}

TextTable OptionsInForce(const ServerOptions& options, const Server::Options& server) {
  TextTable table({"Option", "Value"});
  table.AddRow({"server_id", server.id});
  table.AddRow({"server_version", server.version});
  table.AddRow({"server_extensions", absl::StrJoin(server.extensions, " ")});
  int i = 0;
  for (const std::string& path : options.repository.paths) {
    table.AddRow({StrCat("model_repository_path[", i++, "]"), path});
  }
  table.AddRow({"model_control_mode", ControlModeName(options.repository.control_mode)});
  i = 0;
  for (const std::string& model : options.repository.startup_models) {
    table.AddRow({StrCat("startup_models_", i++), model});
  }
  table.AddRow({"strict_model_config", options.repository.auto_complete_config ? "0" : "1"});
  table.AddRow({"model_config_name", options.repository.model_config_name});
  table.AddRow({"rate_limit", "OFF"});
  table.AddRow({"pinned_memory_pool_byte_size", StrCat(options.pinned_memory_pool_bytes)});
  for (const auto& [gpu, bytes] : options.cuda_memory_pool_bytes) {
    table.AddRow({StrCat("cuda_memory_pool_byte_size{", gpu, "}"), StrCat(bytes)});
  }
  table.AddRow({"min_supported_compute_capability", StrCat(options.min_compute_capability)});
  table.AddRow({"strict_readiness", options.strict_readiness ? "1" : "0"});
  table.AddRow({"exit_timeout", StrCat(options.exit_timeout_secs)});
  table.AddRow({"cache_enabled", "0"});
  return table;
}

void RestoreRegions(const ProcessState& inherited, SharedMemoryRegistry& registry) {
  for (const SharedMemoryInfo& region : inherited.regions) {
    const absl::Status registered = registry.Register(region);
    if (registered.ok()) continue;
    NLOG(Error) << "shared memory region '" << region.name
                << "' cannot be registered again: " << Message(registered);
  }
}

}  // namespace

std::string DefaultBackendDirectory() {
  std::error_code error;
  const std::filesystem::path executable = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path root = executable.parent_path().parent_path();
  for (const char* candidate : {"lib/nereid/backends", "backends"}) {
    if (std::filesystem::is_directory(root / candidate, error)) return (root / candidate).string();
  }
  return "/opt/tritonserver/backends";
}

Core::Core(const ServerOptions& options)
    : options_(options), metrics_(std::make_unique<MetricsRegistry>()) {}

Core::~Core() = default;

absl::StatusOr<std::unique_ptr<Core>> Core::Create(const ServerOptions& options,
                                                   const Surroundings& surroundings) {
  const ProcessState* inherited = surroundings.inherited;
  std::unique_ptr<Core> core(new Core(options));
  PagePool::Shared().SetMaxIdleBytes(static_cast<size_t>(options.host_pool_idle_bytes));

  ModelLoader::Options loader;
  loader.backends = BackendOptions(options);
  loader.backends.needs_new_process = surroundings.needs_new_process;
  loader.auto_complete = options.repository.auto_complete_config;
  loader.devices = UsableDevices(options);
  if (options.metrics.endpoint.allow) {
    const DurationMetricsOptions durations{.summaries = options.metrics.summary_latencies,
                                           .histograms = options.metrics.histogram_latencies,
                                           .quantiles = options.metrics.summary_quantiles};
    loader.make_listener = [registry = core->metrics_.get(),
                            durations](const ModelLoader::Measured& model) {
      return MakeDurationListener(registry, durations,
                                  ModelLabels(model.name_space, model.config, model.version),
                                  model.config);
    };
    core->published_ = std::make_shared<PublishedMetrics>();
    loader.backends.make_metrics = [published = core->published_](const std::string& backend) {
      return published->For({{"backend", backend}});
    };
    loader.make_metrics = [published = core->published_](const ModelLoader::Measured& model) {
      return published->For(ModelLabels(model.name_space, model.config, model.version));
    };
  }
  core->loader_ = std::make_unique<ModelLoader>(std::move(loader));

  Server::Options server;
  server.id = options.id;
  server.version = NEREID_VERSION;
  server.strict_readiness = options.strict_readiness;
  server.exit_on_error = options.exit_on_error && inherited == nullptr;
  server.exit_timeout = std::chrono::seconds(options.exit_timeout_secs);
  server.allow_client_shared_memory = options.allow_client_shared_memory;
  server.repository = MakeRepositoryOptions(options.repository, core->loader_.get());
  if (inherited != nullptr) server.repository.requested_models = inherited->models;
  NEREID_ASSIGN_OR_RETURN(core->server_, Server::Create(std::move(server)));
  if (inherited != nullptr) RestoreRegions(*inherited, core->server_->shared_memory());

  auto add = [&](std::shared_ptr<MetricSource> source) {
    if (source == nullptr) return;
    core->metrics_->AddSource(source);
    core->sources_.push_back(std::move(source));
  };
  add(std::make_shared<ModelMetrics>(
      core->server_.get(),
      ModelMetrics::Options{.counter_latencies = options.metrics.counter_latencies}));
  add(core->published_);
  add(std::make_shared<ProcessMetrics>(inherited == nullptr ? 0 : inherited->restarts));
  add(std::make_shared<HostMetrics>());
  if (options.metrics.allow_cpu) {
    add(std::make_shared<CpuMetrics>(options.metrics.interval / 2));
  }
  if (options.metrics.endpoint.allow && options.metrics.allow_gpu) {
    add(MakeGpuMetrics(options.metrics.interval / 2));
  }
  return core;
}

void Core::HandOver(ProcessState* state) {
  Server::Belongings belongings = server_->HandOver();
  if (options_.repository.control_mode == ModelControlMode::kExplicit) {
    state->models = std::move(belongings.models);
  }
  state->regions = std::move(belongings.regions);
}

std::string Core::StartupTables() const {
  const TextTable agents({"Repository Agent", "Path"});  // this build has none
  TextTable backends({"Backend", "Path", "Config"});
  for (const auto& module : loader_->registry().Loaded()) {
    backends.AddRow({module.backend, module.path, SettingsJson(module.settings)});
  }
  TextTable models({"Model", "Version", "Status"});
  for (const ModelTableRow& row : server_->ModelTable()) {
    models.AddRow({row.name, row.version, row.status});
  }
  return StrCat("\n", agents.Text(), "\n", backends.Text(), "\n", models.Text(), "\n",
                OptionsInForce(options_, server_->options()).Text(), "\n");
}

}  // namespace nereid
