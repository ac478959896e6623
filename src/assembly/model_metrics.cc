#include "assembly/model_metrics.h"

#include <utility>

#include "common/strings.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using Snapshot = ModelStatistics::Snapshot;
using Type = MetricFamily::Type;

double Microseconds(const ModelStatistics::Duration& duration) {
  return static_cast<double>(duration.ns / 1000);
}

constexpr ModelMetricRow kRows[] = {
    {"nv_inference_request_success", "Requests that were answered without an error", Type::kCounter,
     false, [](const Snapshot& s) { return static_cast<double>(s.success.count); }},
    {"nv_inference_count", "Inferences made: successful requests times their batch size",
     Type::kCounter, false,
     [](const Snapshot& s) { return static_cast<double>(s.inference_count); }},
    {"nv_inference_exec_count", "Executions: batches given to an instance", Type::kCounter, false,
     [](const Snapshot& s) { return static_cast<double>(s.execution_count); }},
    {"nv_inference_pending_request_count", "Requests that wait for an instance", Type::kGauge,
     false, [](const Snapshot& s) { return static_cast<double>(s.pending); }},
    {"nv_model_load_duration_secs", "Time it took to load the model, in seconds", Type::kGauge,
     false,
     [](const Snapshot& s) { return std::chrono::duration<double>(s.load_duration).count(); }},
    {"nv_inference_request_duration_us",
     "Time from receiving to answering requests, in microseconds", Type::kCounter, true,
     [](const Snapshot& s) { return Microseconds(s.success); }},
    {"nv_inference_queue_duration_us", "Time requests waited for an instance, in microseconds",
     Type::kCounter, true, [](const Snapshot& s) { return Microseconds(s.queue); }},
    {"nv_inference_compute_input_duration_us", "Time spent preparing inputs, in microseconds",
     Type::kCounter, true, [](const Snapshot& s) { return Microseconds(s.compute_input); }},
    {"nv_inference_compute_infer_duration_us", "Time spent executing models, in microseconds",
     Type::kCounter, true, [](const Snapshot& s) { return Microseconds(s.compute_infer); }},
    {"nv_inference_compute_output_duration_us", "Time spent handing out outputs, in microseconds",
     Type::kCounter, true, [](const Snapshot& s) { return Microseconds(s.compute_output); }},
};

struct Observed {
  MetricLabels labels;
  Snapshot statistics;
};

MetricFamily Failures(const std::vector<Observed>& models) {
  MetricFamily family{kFailureFamily, kFailureHelp, Type::kCounter, {}};
  for (const Observed& model : models) {
    for (int i = 0; i < kFailureReasonCount; ++i) {
      MetricLabels labels = model.labels;
      labels.emplace_back("reason", FailureReasonName(static_cast<FailureReason>(i)));
      family.samples.push_back(
          {std::move(labels), static_cast<double>(model.statistics.failures[i])});
    }
  }
  return family;
}

}  // namespace

absl::Span<const ModelMetricRow> ModelMetricTable() { return kRows; }

MetricLabels ModelLabels(std::string_view name_space, const ModelConfig& config, int64_t version) {
  MetricLabels labels = {{"model", config.name()}, {"version", StrCat(version)}};
  if (!name_space.empty()) labels.emplace_back("namespace", name_space);
  for (const auto& [name, value] : config.proto().metric_tags()) {
    labels.emplace_back(StrCat("_", name), value);
  }
  return labels;
}

void ModelMetrics::Collect(std::vector<MetricFamily>* families) {
  const auto rows = server_->Statistics("", kLatestVersion);
  if (!rows.ok()) return;
  std::vector<Observed> models;
  for (const StatisticsRow& row : *rows) {
    models.push_back({ModelLabels(row.name_space, *row.config, row.version), row.statistics});
  }
  for (const ModelMetricRow& row : kRows) {
    if (row.is_latency && !options_.counter_latencies) continue;
    MetricFamily family{row.name, row.help, row.type, {}};
    for (const Observed& model : models) {
      family.samples.push_back({model.labels, row.read(model.statistics)});
    }
    families->push_back(std::move(family));
  }
  families->push_back(Failures(models));
}

}  // namespace nereid
