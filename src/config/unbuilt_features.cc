#include "config/unbuilt_features.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/strings.h"
#include "config/platforms.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using inference::ModelConfig;
using Group = inference::ModelInstanceGroup;

bool AnyGroup(const ModelConfig& config, bool (*asks)(const Group&)) {
  return std::any_of(config.instance_group().begin(), config.instance_group().end(), asks);
}

// A feature that parses and validates, and how to tell that a model needs it. A row goes when the
// feature is built.
struct Feature {
  std::string_view name;
  bool (*needed)(const ModelConfig&);
};
constexpr Feature kUnbuilt[] = {
    {"sequence_batching", [](const ModelConfig& c) { return c.has_sequence_batching(); }},
    {"ensemble_scheduling",
     [](const ModelConfig& c) {
       return c.has_ensemble_scheduling() || c.platform() == kPlatformEnsemble;
     }},
    {"response_cache", [](const ModelConfig& c) { return c.response_cache().enable(); }},
    {"model_repository_agents",
     [](const ModelConfig& c) { return !c.model_repository_agents().agents().empty(); }},
    {"model_operations",
     [](const ModelConfig& c) { return !c.model_operations().op_library_filename().empty(); }},
    {"instance_group.secondary_devices",
     [](const ModelConfig& c) {
       return AnyGroup(c, [](const Group& group) { return !group.secondary_devices().empty(); });
     }},
    {"parameters.TRITON_BATCH_STRATEGY_PATH",
     [](const ModelConfig& c) { return c.parameters().contains("TRITON_BATCH_STRATEGY_PATH"); }},
};

// Settings that other builds act on; here a model serves the same without them.
constexpr Feature kWithoutEffect[] = {
    {"instance_group.rate_limiter",
     [](const ModelConfig& c) {
       return AnyGroup(c, [](const Group& group) {
         return !group.rate_limiter().resources().empty() || group.rate_limiter().priority() != 0;
       });
     }},
    {"instance_group.host_policy",
     [](const ModelConfig& c) {
       return AnyGroup(c, [](const Group& group) { return !group.host_policy().empty(); });
     }},
    {"cc_model_filenames", [](const ModelConfig& c) { return !c.cc_model_filenames().empty(); }},
    {"optimization.priority",
     [](const ModelConfig& c) {
       return c.optimization().priority() != inference::ModelOptimizationPolicy::PRIORITY_DEFAULT;
     }},
    {"optimization.cuda", [](const ModelConfig& c) { return c.optimization().has_cuda(); }},
    {"optimization.eager_batching",
     [](const ModelConfig& c) { return c.optimization().eager_batching(); }},
    {"optimization.gather_kernel_buffer_threshold",
     [](const ModelConfig& c) { return c.optimization().gather_kernel_buffer_threshold() != 0; }},
};

// The only family whose buckets a model may choose.
constexpr std::string_view kFirstResponseHistogram = "nv_inference_first_response_histogram_ms";

}  // namespace

absl::Status CheckSupported(const ModelConfig& config) {
  std::vector<std::string> needed;
  for (const Feature& feature : kUnbuilt) {
    if (feature.needed(config)) needed.emplace_back(feature.name);
  }
  if (needed.empty()) return absl::OkStatus();
  return absl::UnimplementedError(StrCat("model '", config.name(), "' needs ",
                                         absl::StrJoin(needed, ", "),
                                         ", which this version does not support"));
}

std::vector<std::string> SettingsWithoutEffect(const ModelConfig& config) {
  std::vector<std::string> settings;
  for (const Feature& setting : kWithoutEffect) {
    if (setting.needed(config)) settings.emplace_back(setting.name);
  }
  for (const auto& control : config.model_metrics().metric_control()) {
    const std::string& family = control.metric_identifier().family();
    if (family != kFirstResponseHistogram) {
      settings.push_back(StrCat("model_metrics.metric_control of family '", family, "'"));
    }
  }
  return settings;
}

}  // namespace nereid
