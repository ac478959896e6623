#include "assembly/duration_metrics.h"

#include <array>

#include "assembly/model_metrics.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

constexpr DurationFamily kFamilies[] = {
    {"nv_inference_request_summary_us",
     "Time from receiving to answering a request, in microseconds"},
    {"nv_inference_queue_summary_us", "Time a request waited for an instance, in microseconds"},
    {"nv_inference_compute_input_summary_us", "Time spent preparing inputs, in microseconds"},
    {"nv_inference_compute_infer_summary_us", "Time spent executing the model, in microseconds"},
    {"nv_inference_compute_output_summary_us", "Time spent handing out outputs, in microseconds"},
    {"nv_inference_first_response_histogram_ms",
     "Time from receiving a request to its first response, in milliseconds"},
};
constexpr int kSummaryCount = 5;
constexpr const DurationFamily& kHistogram = kFamilies[kSummaryCount];

double Microseconds(TimePoint from, TimePoint to) {
  return to <= from ? 0 : std::chrono::duration<double, std::micro>(to - from).count();
}

class DurationMetrics : public ModelStatistics::DurationListener {
 public:
  DurationMetrics(MetricsRegistry* registry, const DurationMetricsOptions& options,
                  const MetricLabels& labels, const std::vector<double>& buckets) {
    if (options.summaries) {
      for (int i = 0; i < kSummaryCount; ++i) {
        summaries_[i] =
            registry->MakeSummary(kFamilies[i].name, kFamilies[i].help, labels, options.quantiles);
      }
    }
    if (options.histograms) {
      first_response_ = registry->MakeHistogram(kHistogram.name, kHistogram.help, labels, buckets);
    }
  }

  void OnSuccess(const Timeline& t, TimePoint end) noexcept override {
    if (summaries_[0] == nullptr) return;
    const double values[kSummaryCount] = {
        Microseconds(t.received, end), Microseconds(t.queued, t.exec_start),
        Microseconds(t.exec_start, t.compute_start), Microseconds(t.compute_start, t.compute_end),
        Microseconds(t.compute_end, t.exec_end)};
    for (int i = 0; i < kSummaryCount; ++i) summaries_[i]->Observe(values[i]);
  }

  void OnFirstResponse(std::chrono::nanoseconds since_received) noexcept override {
    if (first_response_ == nullptr) return;
    first_response_->Observe(std::chrono::duration<double, std::milli>(since_received).count());
  }

 private:
  std::array<std::unique_ptr<MetricDistribution>, kSummaryCount> summaries_;
  std::unique_ptr<MetricDistribution> first_response_;
};

std::vector<double> BucketsOf(const ModelConfig& config) {
  for (const auto& control : config.proto().model_metrics().metric_control()) {
    if (control.metric_identifier().family() != kHistogram.name) continue;
    const auto& buckets = control.histogram_options().buckets();
    if (!buckets.empty()) return {buckets.begin(), buckets.end()};
  }
  return {100, 500, 2000, 5000};
}

}  // namespace

absl::Span<const DurationFamily> DurationFamilies() { return kFamilies; }

std::unique_ptr<ModelStatistics::DurationListener> MakeDurationListener(
    MetricsRegistry* registry, const DurationMetricsOptions& options, MetricLabels labels,
    const ModelConfig& config) {
  if (!options.summaries && !options.histograms) return nullptr;
  return std::make_unique<DurationMetrics>(registry, options, std::move(labels), BucketsOf(config));
}

}  // namespace nereid
