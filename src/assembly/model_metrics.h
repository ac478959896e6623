#pragma once

#include <string>
#include <string_view>

#include "observability/metrics_registry.h"
#include "server/inference_server.h"

namespace nereid {

// `model`, `version`, `namespace` where there are any, and the configuration's metric_tags: the
// labels of a model version's series.
MetricLabels ModelLabels(std::string_view name_space, const ModelConfig& config, int64_t version);

// The nv_inference_* and nv_model_* counters and gauges of every model that serves, read from the
// same counts as the statistics extension.
class ModelMetrics : public MetricSource {
 public:
  struct Options {
    bool counter_latencies = true;  // with the *_duration_us families
  };
  // `server` outlives this.
  ModelMetrics(const InferenceServer* server, Options options)
      : server_(server), options_(options) {}

  void Collect(std::vector<MetricFamily>* families) override;

 private:
  const InferenceServer* const server_;
  const Options options_;
};

// One family of ModelMetrics, for the documentation.
struct ModelMetricRow {
  const char* name;
  const char* help;
  MetricFamily::Type type;
  bool is_latency;  // counted only with counter_latencies
  double (*read)(const ModelStatistics::Snapshot&);
};
absl::Span<const ModelMetricRow> ModelMetricTable();

inline constexpr char kFailureFamily[] = "nv_inference_request_failure";
inline constexpr char kFailureHelp[] = "Requests that failed, by reason";

}  // namespace nereid
