#include "config/validate.h"

#include <string_view>

#include "common/status_macros.h"
#include "config/invalid.h"
#include "config/platforms.h"
#include "config/validate_parts.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using inference::ModelConfig;

// Backends whose platform names are fixed.
struct Pair {
  std::string_view backend, platform;
};
constexpr Pair kPairs[] = {
    {kBackendTensorFlow, kPlatformSavedModel}, {kBackendTensorFlow, kPlatformGraphDef},
    {kBackendTensorRt, kPlatformTensorRt},     {kBackendOnnx, kPlatformOnnx},
    {kBackendPyTorch, kPlatformTorchScript},   {kBackendPyTorch, kPlatformTorchAoti},
};

absl::Status ValidateName(const ModelConfig& config) {
  if (!config.name().empty()) return absl::OkStatus();
  return Invalid("model configuration must specify 'name'");
}

absl::Status ValidateBackend(const ModelConfig& config) {
  const bool is_ensemble = config.platform() == kPlatformEnsemble;
  if (config.backend().empty() && !is_ensemble) {
    return Invalid("unexpected platform type '", config.platform(), "' for ", config.name());
  }
  if (!config.backend().empty() && is_ensemble) {
    return Invalid("Ensemble model '", config.name(),
                   "' must have platform type 'ensemble' and empty backend type");
  }
  return absl::OkStatus();
}

absl::Status ValidatePlatform(const ModelConfig& config) {
  bool backend_has_platforms = false;
  for (const Pair& pair : kPairs) {
    if (config.backend() != pair.backend) continue;
    if (config.platform() == pair.platform) return absl::OkStatus();
    backend_has_platforms = true;
  }
  if (!backend_has_platforms) return absl::OkStatus();
  return Invalid("unexpected 'platform' and 'backend' pair, got:", config.platform(), ", ",
                 config.backend());
}

absl::Status ValidateMaxBatchSize(const ModelConfig& config) {
  if (config.max_batch_size() >= 0) return absl::OkStatus();
  return Invalid("'max_batch_size' must be non-negative value for ", config.name());
}

absl::Status ValidateVersionPolicy(const ModelConfig& config) {
  if (config.has_version_policy()) return absl::OkStatus();
  return Invalid("must specify 'version policy' for ", config.name());
}

absl::Status ValidateEnsemblePlatform(const ModelConfig& config) {
  if (config.platform() != kPlatformEnsemble || config.has_ensemble_scheduling()) {
    return absl::OkStatus();
  }
  return Invalid("ensemble scheduling must be set for ensemble ", config.name(),
                 " whose platform is ensemble");
}

absl::Status ValidateDecoupled(const ModelConfig& config) {
  const bool decoupled = config.model_transaction_policy().decoupled();
  if (!decoupled || !config.response_cache().enable()) return absl::OkStatus();
  return Invalid("Response Cache does not currently support model ", config.name(),
                 " with 'decoupled' transaction policy. Please disable the response cache.");
}

using Check = absl::Status (*)(const ModelConfig&);
constexpr Check kChecks[] = {
    ValidateName,
    ValidateBackend,
    ValidatePlatform,
    ValidateMaxBatchSize,
    ValidateVersionPolicy,
    config_internal::ValidateKnownEnums,
    config_internal::ValidateDynamicBatching,
    config_internal::ValidateSequenceBatching,
    config_internal::ValidateEnsemble,
    ValidateEnsemblePlatform,
    ValidateDecoupled,
    config_internal::ValidateModelMetrics,
};

}  // namespace

namespace config_internal {

absl::Status ValidateModelMetrics(const ModelConfig& config) {
  for (const auto& control : config.model_metrics().metric_control()) {
    if (!control.has_metric_identifier()) {
      return Invalid("metric control must specify 'metric_identifier'");
    }
    if (control.metric_identifier().family().empty()) {
      return Invalid("metric identifier must specify non-empty 'family'");
    }
    if (!control.has_histogram_options()) {
      return Invalid("metric control must specify 'histogram_options'");
    }
    if (control.histogram_options().buckets().empty()) {
      return Invalid("histogram options must specify non-empty 'buckets'");
    }
  }
  return absl::OkStatus();
}

}  // namespace config_internal

absl::Status ValidateConfig(const ModelConfig& config) {
  for (const Check check : kChecks) NEREID_RETURN_IF_ERROR(check(config));
  return absl::OkStatus();
}

absl::Status ValidateDirectoryName(const ModelConfig& config, std::string_view directory_name) {
  if (config.name() == directory_name) return absl::OkStatus();
  return Invalid("unexpected directory name '", directory_name, "' for model '", config.name(),
                 "', directory name must equal model name");
}

}  // namespace nereid
