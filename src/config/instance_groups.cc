#include "config/instance_groups.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "config/invalid.h"
#include "config/platforms.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using Group = inference::ModelInstanceGroup;
using Preferred = absl::Span<const PreferredGroup>;

// Far above any use; keeps a slip in a configuration from taking the machine's memory.
constexpr int kMaxInstancesPerDevice = 4096;

Group::Kind KindOf(InstanceKind kind) {
  switch (kind) {
    case InstanceKind::kCpu:
      return Group::KIND_CPU;
    case InstanceKind::kGpu:
      return Group::KIND_GPU;
    case InstanceKind::kModel:
      return Group::KIND_MODEL;
  }
  return Group::KIND_CPU;
}

InstanceKind KindOf(Group::Kind kind) {
  if (kind == Group::KIND_GPU) return InstanceKind::kGpu;
  return kind == Group::KIND_MODEL ? InstanceKind::kModel : InstanceKind::kCpu;
}

bool IsUsable(const DeviceInventory& devices, int gpu) {
  return std::find(devices.usable_gpus.begin(), devices.usable_gpus.end(), gpu) !=
         devices.usable_gpus.end();
}

// The group of a model that lists none carries the model's own name.
void AddDefaultGroup(const DeviceInventory& devices, Preferred preferred,
                     inference::ModelConfig* config) {
  Group* group = config->add_instance_group();
  group->set_name(config->name());
  for (const PreferredGroup& wish : preferred) {
    if (wish.kind == InstanceKind::kGpu && devices.usable_gpus.empty()) continue;
    group->set_kind(KindOf(wish.kind));
    group->set_count(wish.count);
    return;
  }
}

void ResolveAuto(const DeviceInventory& devices, Group* group) {
  if (group->kind() != Group::KIND_AUTO) return;
  const bool all_usable = std::all_of(group->gpus().begin(), group->gpus().end(),
                                      [&](int gpu) { return IsUsable(devices, gpu); });
  const bool on_gpu = !devices.usable_gpus.empty() && all_usable;
  group->set_kind(on_gpu ? Group::KIND_GPU : Group::KIND_CPU);
}

int DefaultCount(const inference::ModelConfig& config, const Group& group, Preferred preferred) {
  for (const PreferredGroup& wish : preferred) {
    if (KindOf(wish.kind) == group.kind() && wish.count > 0) return wish.count;
  }
  const bool doubled = config.backend() == kBackendOnnx || config.backend() == kBackendTensorFlow;
  return doubled && group.kind() == Group::KIND_CPU ? 2 : 1;
}

absl::Status GroupError(const inference::ModelConfig& config, const Group& group,
                        std::string_view what) {
  return Invalid("instance group ", group.name(), " of model ", config.name(), what);
}

absl::Status ValidateGpus(const inference::ModelConfig& config, const Group& group,
                          const DeviceInventory& devices) {
  if (!devices.gpu_support) {
    return GroupError(config, group, " has kind KIND_GPU but server does not support GPUs");
  }
  if (group.gpus().empty()) {
    return GroupError(config, group, " has kind KIND_GPU but no GPUs are available");
  }
  for (const int gpu : group.gpus()) {
    if (IsUsable(devices, gpu)) continue;
    return GroupError(config, group,
                      absl::StrFormat(" specifies invalid or unsupported gpu id %d. GPUs with at "
                                      "least the minimum required CUDA compute compatibility of "
                                      "%f are: %s",
                                      gpu, devices.min_compute_capability,
                                      absl::StrJoin(devices.usable_gpus, ", ")));
  }
  return absl::OkStatus();
}

absl::Status ValidateCount(const inference::ModelConfig& config, const Group& group) {
  if (group.count() <= kMaxInstancesPerDevice) return absl::OkStatus();
  return GroupError(config, group,
                    StrCat(" has count ", group.count(), ", at most ", kMaxInstancesPerDevice,
                           " instances are supported"));
}

absl::Status ValidateKind(const inference::ModelConfig& config, const Group& group,
                          const DeviceInventory& devices) {
  switch (group.kind()) {
    case Group::KIND_GPU:
      return ValidateGpus(config, group, devices);
    case Group::KIND_CPU:
    case Group::KIND_MODEL:
      if (group.gpus().empty()) return absl::OkStatus();
      return GroupError(
          config, group,
          StrCat(" has kind ", Group::Kind_Name(group.kind()), " but specifies one or more GPUs"));
    default:
      return absl::InternalError(StrCat("instance group ", group.name(), " of model ",
                                        config.name(), " has unexpected kind ",
                                        Group::Kind_Name(group.kind())));
  }
}

absl::Status ValidateProfile(const inference::ModelConfig& config, const Group& group,
                             const std::string& profile) {
  if (profile.empty()) return absl::InvalidArgumentError("profile name must not be empty");
  int index = 0;
  const char* const end = profile.data() + profile.size();
  const auto [stop, error] = std::from_chars(profile.data(), end, index);
  if (error != std::errc() || stop != end) {
    const std::string_view why =
        error == std::errc::result_out_of_range ? "out of range" : "not an integer";
    return Invalid("unable to parse '", profile, "': ", why);
  }
  if (index >= 0) return absl::OkStatus();
  return GroupError(
      config, group,
      StrCat(" and platform ", config.platform(), " specifies invalid profile ", profile,
             ". The field should contain the string representation of a "
             "non-negative integer."));
}

absl::Status ValidateProfiles(const inference::ModelConfig& config, const Group& group) {
  if (group.profile().empty()) return absl::OkStatus();
  if (config.platform() != kPlatformTensorRt) {
    return GroupError(config, group,
                      StrCat(" and platform ", config.platform(),
                             "specifies profile field which is only supported for TensorRT "
                             "models"));
  }
  for (const std::string& profile : group.profile()) {
    NEREID_RETURN_IF_ERROR(ValidateProfile(config, group, profile));
  }
  return absl::OkStatus();
}

// A resource is either one pool or one a device, in all groups alike.
absl::Status ValidateResources(const inference::ModelConfig& config) {
  std::map<std::string, bool> is_global;
  for (const Group& group : config.instance_group()) {
    for (const auto& resource : group.rate_limiter().resources()) {
      const auto [known, added] = is_global.emplace(resource.name(), resource.global());
      if (added || known->second == resource.global()) continue;
      return Invalid("Resource \"", resource.name(),
                     "\" is present as both global and device-specific resource in the model "
                     "configuration.");
    }
  }
  return absl::OkStatus();
}

}  // namespace

void NormalizeInstanceGroups(const DeviceInventory& devices, Preferred preferred,
                             inference::ModelConfig* config) {
  if (config->platform() == kPlatformEnsemble) return;
  if (config->instance_group().empty()) AddDefaultGroup(devices, preferred, config);
  for (int i = 0; i < config->instance_group_size(); ++i) {
    Group* group = config->mutable_instance_group(i);
    if (group->name().empty()) group->set_name(StrCat(config->name(), "_", i));
    ResolveAuto(devices, group);
    if (group->count() < 1) group->set_count(DefaultCount(*config, *group, preferred));
    if (group->kind() == Group::KIND_GPU && group->gpus().empty()) {
      group->mutable_gpus()->Add(devices.usable_gpus.begin(), devices.usable_gpus.end());
    }
  }
}

absl::Status ValidateInstanceGroups(const inference::ModelConfig& config,
                                    const DeviceInventory& devices) {
  if (config.platform() == kPlatformEnsemble) return absl::OkStatus();
  if (config.instance_group().empty()) {
    return Invalid("must specify one or more 'instance group's for ", config.name());
  }
  for (const Group& group : config.instance_group()) {
    NEREID_RETURN_IF_ERROR(ValidateKind(config, group, devices));
    NEREID_RETURN_IF_ERROR(ValidateProfiles(config, group));
    NEREID_RETURN_IF_ERROR(ValidateCount(config, group));
  }
  return ValidateResources(config);
}

std::vector<PlannedInstance> PlanInstances(const inference::ModelConfig& config) {
  std::vector<PlannedInstance> plan;
  std::map<std::pair<InstanceKind, int>, int> used_slots;
  for (const Group& group : config.instance_group()) {
    const InstanceKind kind = KindOf(group.kind());
    std::vector<int> devices(group.gpus().begin(), group.gpus().end());
    if (kind != InstanceKind::kGpu) devices = {0};
    for (int i = 0; i < group.count(); ++i) {
      for (const int device : devices) {
        InstanceContext context{.name = StrCat(group.name(), "_", i),
                                .kind = kind,
                                .device = device,
                                .index = static_cast<int>(plan.size()),
                                .stream_slot = used_slots[{kind, device}]++,
                                .profiles = {group.profile().begin(), group.profile().end()}};
        plan.push_back({std::move(context), group.passive(), group.host_policy()});
      }
    }
  }
  return plan;
}

}  // namespace nereid
