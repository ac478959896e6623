#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "infer/model_statistics.h"
#include "nereid/model_config.h"
#include "observability/metrics_registry.h"

namespace nereid {

struct DurationMetricsOptions {
  bool summaries = false;
  bool histograms = false;
  std::vector<std::pair<double, double>> quantiles;  // quantile and allowed error
};

// Feeds the summaries and the first-response histogram of one model version. Null when both are
// off: then nothing is done per request.
std::unique_ptr<ModelStatistics::DurationListener> MakeDurationListener(
    MetricsRegistry* registry, const DurationMetricsOptions& options, MetricLabels labels,
    const ModelConfig& config);

// Name and help of the families, for the documentation.
struct DurationFamily {
  const char* name;
  const char* help;
};
absl::Span<const DurationFamily> DurationFamilies();

}  // namespace nereid
