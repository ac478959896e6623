#pragma once

// What a backend author implements. A backend is a shared library that exports one C function,
// NereidBackendModule(), usually through NEREID_BACKEND_MODULE below. docs/backends.md walks
// through one; examples/backend_template is a complete project.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nereid/backend_metrics.h"
#include "nereid/batch.h"
#include "nereid/config_proposal.h"
#include "nereid/instance_context.h"
#include "nereid/memory_estimate.h"
#include "nereid/model_config.h"

namespace nereid {

// A module built against another major version is refused. The minor version grows when something
// is added that older modules can do without: a field at the end of a context, a header.
inline constexpr uint32_t kBackendApiMajor = 1;
inline constexpr uint32_t kBackendApiMinor = 2;

// Settings by name: `--backend-config=<backend>,<name>=<value>`, global ones already overlaid.
using BackendSettings = std::map<std::string, std::string>;

struct BackendContext {
  std::string name;       // what models write in `backend:`
  std::string directory;  // where the module was found
  BackendSettings settings;
  // Since 1.1. Series of the whole backend, labelled with its name; nullptr: nobody asks.
  std::shared_ptr<BackendMetrics> metrics;
  // Since 1.2. To be called, from any thread, once nothing of this backend will work again in this
  // process, with the reason: the server decides whether a new process takes over. Returns at once;
  // the backend goes on refusing what it cannot do. Further calls do nothing. Empty: nobody asks.
  std::function<void(std::string reason)> needs_new_process;
};

// A model version that is being loaded.
struct ModelContext {
  std::string model_path;    // folder of the model
  std::string version_path;  // folder of this version
  int64_t version = 0;
  // Completed, normalised and validated; during CompleteConfig() still what the user wrote.
  std::shared_ptr<const ModelConfig> config;
  std::vector<InstanceKind> instance_kinds;  // kinds of the instance groups that will be made
  // Since 1.1. Series of this version, labelled as the server's own; nullptr: nobody asks. For
  // LoadModel() only.
  std::shared_ptr<BackendMetrics> metrics;
};

// One execution slot on one device, driven by one thread: the worker that the server made for it.
// CreateInstance(), Execute(), Healthy() and the destructor all run on that thread.
//
// A backend that answers from threads of its own takes the requests out of the batch and may return
// from Execute() at once, to be given more; it holds the queue back by not returning. It asks
// InferRequest::IsCancelled() between steps, and its destructor answers what it still holds.
class Instance {
 public:
  virtual ~Instance() = default;

  // Runs the batch and answers its requests (see Batch). A non-OK status answers all requests that
  // are still unanswered. Must not throw; what escapes is caught, answered as INTERNAL and logged.
  virtual absl::Status Execute(Batch& batch) = 0;

  // False once the instance can no longer serve (lost device): the server destroys it, and then
  // asks the model for another until it gets one. Asked after each execution and, of an idle
  // instance, now and then.
  virtual bool Healthy() const { return true; }
};

// A loaded model version: immutable state that its instances share. Any thread.
class Model {
 public:
  virtual ~Model() = default;
  virtual absl::StatusOr<std::unique_ptr<Instance>> CreateInstance(
      const InstanceContext& context) = 0;
  // Bytes in use by the model and its instances now, by place; for statistics.
  virtual MemoryEstimate MemoryUsage() const { return {}; }
};

// One per module and process. Any thread.
class Backend {
 public:
  virtual ~Backend() = default;

  // Looks at the model's files and proposes what the configuration leaves out. Called before
  // LoadModel() when auto-completion is on.
  virtual absl::StatusOr<ConfigProposal> CompleteConfig(const ModelContext& context);
  // What LoadModel() and the instances will take. An empty estimate means "unknown".
  virtual absl::StatusOr<MemoryEstimate> EstimateMemory(const ModelContext& context);
  virtual absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelContext& context) = 0;

  // Whether instances may be placed on GPUs. Without it AUTO means CPU and KIND_GPU is refused.
  virtual bool SupportsGpu() const { return false; }

  // Instance groups to use when the configuration names none, best first.
  using PreferredGroup = ::nereid::PreferredGroup;
  virtual std::vector<PreferredGroup> PreferredGroups() const { return {}; }
};

// What a module exports. Plain C layout, so that it can be read before anything else is trusted.
struct BackendModule {
  uint32_t api_major;
  uint32_t api_minor;
  // Makes the backend. On failure returns nullptr and writes the reason to *status.
  Backend* (*create)(const BackendContext& context, absl::Status* status);
};

using BackendModuleFunction = const BackendModule* (*)();
inline constexpr char kBackendModuleSymbol[] = "NereidBackendModule";

}  // namespace nereid

// Exports class BACKEND, which has `static StatusOr<unique_ptr<BACKEND>> Create(const
// BackendContext&)`.
#define NEREID_BACKEND_MODULE(BACKEND)                                                            \
  extern "C" __attribute__((visibility("default"))) const ::nereid::BackendModule*                \
  NereidBackendModule() {                                                                         \
    static const ::nereid::BackendModule module = {                                               \
        ::nereid::kBackendApiMajor, ::nereid::kBackendApiMinor,                                   \
        [](const ::nereid::BackendContext& context, absl::Status* status) -> ::nereid::Backend* { \
          auto backend = BACKEND::Create(context);                                                \
          *status = backend.status();                                                             \
          return backend.ok() ? backend->release() : nullptr;                                     \
        }};                                                                                       \
    return &module;                                                                               \
  }
