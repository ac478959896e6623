#include "config/validate.h"

#include <filesystem>
#include <string>
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

// A load request may bring its own configuration: it must not make a backend open any file there
// is.
bool StaysInside(const std::string& file) {
  const std::filesystem::path normal = std::filesystem::path(file).lexically_normal();
  return !normal.is_absolute() && (normal.empty() || *normal.begin() != "..");
}

absl::Status ValidateFileNames(const ModelConfig& config) {
  const auto outside = [&](std::string_view field, const std::string& file) {
    return Invalid(field, " '", file, "' lies outside the model's version directory for ",
                   config.name());
  };
  if (!StaysInside(config.default_model_filename())) {
    return outside("default_model_filename", config.default_model_filename());
  }
  for (const auto& [capability, file] : config.cc_model_filenames()) {
    if (!StaysInside(file)) return outside("cc_model_filenames", file);
  }
  return absl::OkStatus();
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
    ValidateFileNames,
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
