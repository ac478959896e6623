#include "model/model_loader.h"

#include <utility>

#include "backend/guarded.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "config/complete.h"
#include "config/prepare.h"
#include "config/unbuilt_features.h"
#include "model/served_model.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

std::vector<InstanceKind> KindsOf(const std::vector<PlannedInstance>& instances) {
  std::vector<InstanceKind> kinds;
  kinds.reserve(instances.size());
  for (const PlannedInstance& instance : instances) kinds.push_back(instance.context.kind);
  return kinds;
}

absl::Status RefuseGpuGroups(const inference::ModelConfig& config) {
  for (const auto& group : config.instance_group()) {
    if (group.kind() != inference::ModelInstanceGroup::KIND_GPU) continue;
    return absl::InvalidArgumentError(
        StrCat("instance group ", group.name(), " of model ", config.name(),
               " has kind KIND_GPU but backend '", config.backend(),
               "' executes on the CPU only; use KIND_CPU or KIND_AUTO"));
  }
  return absl::OkStatus();
}

// What a backend that looks at the files of `request` is told before the configuration is final.
absl::StatusOr<ModelContext> DraftContext(const LoadRequest& request,
                                          const inference::ModelConfig& config) {
  ModelContext context;
  context.model_path = request.model_path;
  context.version_path = request.version_path;
  context.version = request.version;
  context.instance_kinds = KindsOf(PlanInstances(config));
  NEREID_ASSIGN_OR_RETURN(
      context.config,
      ModelConfig::Create(config, {.model_path = request.model_path, .read_labels = false}));
  return context;
}

}  // namespace

DeviceInventory ModelLoader::DevicesFor(const Backend& backend) const {
  if (backend.SupportsGpu()) return options_.devices;
  DeviceInventory devices = options_.devices;
  devices.usable_gpus.clear();
  return devices;
}

absl::StatusOr<ModelLoader::Prepared> ModelLoader::Prepare(const LoadRequest& request) {
  // Before the backend is looked for: an ensemble has none to find.
  NEREID_RETURN_IF_ERROR(CheckSupported(*request.config));
  for (const std::string& setting : SettingsWithoutEffect(*request.config)) {
    NLOG(Warning) << "model '" << request.name << "': " << setting
                  << " has no effect, the server runs without it";
  }
  inference::ModelConfig config = *request.config;
  Prepared prepared;
  NEREID_ASSIGN_OR_RETURN(prepared.backend, registry_.Get({.model_name = config.name(),
                                                           .backend = config.backend(),
                                                           .runtime = config.runtime(),
                                                           .model_path = request.model_path,
                                                           .version_path = request.version_path}));
  if (!prepared.backend->SupportsGpu()) NEREID_RETURN_IF_ERROR(RefuseGpuGroups(config));
  const DeviceInventory devices = DevicesFor(*prepared.backend);
  NormalizeInstanceGroups(devices, prepared.backend->PreferredGroups(), &config);
  NEREID_RETURN_IF_ERROR(ValidateInstanceGroups(config, devices));

  ConfigProposal proposal;
  if (options_.auto_complete) {
    NEREID_ASSIGN_OR_RETURN(const ModelContext draft, DraftContext(request, config));
    NEREID_ASSIGN_OR_RETURN(proposal, GuardedCompleteConfig(*prepared.backend, draft));
    if (!request.config_was_provided && proposal.inputs.empty() && proposal.outputs.empty()) {
      return absl::NotFoundError(
          StrCat("model configuration is not provided for model '", request.name, "'"));
    }
  }
  NEREID_RETURN_IF_ERROR(FinishConfig(proposal, &config));

  NEREID_ASSIGN_OR_RETURN(prepared.context, DraftContext(request, config));
  NEREID_ASSIGN_OR_RETURN(prepared.context.config,
                          ModelConfig::Create(config, {.model_path = request.model_path}));
  return prepared;
}

absl::StatusOr<MemoryEstimate> ModelLoader::Estimate(const LoadRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const Prepared prepared, Prepare(request));
  return GuardedEstimateMemory(*prepared.backend, prepared.context);
}

absl::StatusOr<std::shared_ptr<Servable>> ModelLoader::Load(const LoadRequest& request) {
  const TimePoint begin = Clock::now();
  NEREID_ASSIGN_OR_RETURN(Prepared prepared, Prepare(request));
  ServedModel::Options options;
  options.config = prepared.context.config;
  options.version = request.version;
  options.model_path = request.model_path;
  options.instances = PlanInstances(options.config->proto());
  const Measured measured{request.name_space, *options.config, request.version};
  if (options_.make_listener) options.duration_listener = options_.make_listener(measured);
  if (options_.make_metrics) prepared.context.metrics = options_.make_metrics(measured);
  NEREID_ASSIGN_OR_RETURN(options.model, GuardedLoadModel(prepared.backend, prepared.context));
  NEREID_ASSIGN_OR_RETURN(std::shared_ptr<ServedModel> model,
                          ServedModel::Create(std::move(options)));
  model->SetNameSpace(request.name_space);
  model->SetLoadDuration(Clock::now() - begin);
  return std::shared_ptr<Servable>(std::move(model));
}

void ModelLoader::Unload(Servable& servable) { static_cast<ServedModel&>(servable).Close(); }

}  // namespace nereid
