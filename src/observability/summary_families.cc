#include "observability/summary_families.h"

#include <prometheus/metric_family.h>

#include "observability/sliding_quantiles.h"

namespace nereid {

// What one series is fed with. The allowed errors are not kept: ranks are exact.
class SummaryFamilies::Series {
 public:
  explicit Series(const std::vector<std::pair<double, double>>& quantiles) {
    for (const auto& [quantile, error] : quantiles) quantiles_.push_back(quantile);
  }

  void Observe(double value) noexcept { values_.Observe(value); }

  prometheus::ClientMetric Read(const MetricLabels& labels) const {
    prometheus::ClientMetric metric;
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    const SlidingQuantiles::Totals totals = values_.totals();
    metric.summary.sample_count = totals.count;
    metric.summary.sample_sum = totals.sum;
    const std::vector<double> values = values_.At(quantiles_);
    for (size_t i = 0; i < values.size(); ++i) {
      metric.summary.quantile.push_back({quantiles_[i], values[i]});
    }
    return metric;
  }

 private:
  std::vector<double> quantiles_;
  SlidingQuantiles values_;
};

std::unique_ptr<MetricDistribution> SummaryFamilies::Make(
    const std::string& name, const std::string& help, const MetricLabels& labels,
    const std::vector<std::pair<double, double>>& quantiles) {
  class Summary : public MetricDistribution {
   public:
    explicit Summary(std::shared_ptr<Series> series) : series_(std::move(series)) {}
    void Observe(double value) noexcept override { series_->Observe(value); }

   private:
    const std::shared_ptr<Series> series_;
  };

  const std::lock_guard<std::mutex> lock(mutex_);
  Family& family = families_[name];
  family.help = help;
  std::weak_ptr<Series>& known = family.series[labels];
  std::shared_ptr<Series> series = known.lock();
  if (series == nullptr) known = series = std::make_shared<Series>(quantiles);
  std::erase_if(family.series, [](const auto& entry) { return entry.second.expired(); });
  return std::make_unique<Summary>(std::move(series));
}

void SummaryFamilies::Collect(std::vector<prometheus::MetricFamily>* families) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [name, family] : families_) {
    prometheus::MetricFamily out{name, family.help, prometheus::MetricType::Summary, {}};
    for (const auto& [labels, weak] : family.series) {
      if (const auto series = weak.lock()) out.metric.push_back(series->Read(labels));
    }
    if (!out.metric.empty()) families->push_back(std::move(out));
  }
}

}  // namespace nereid
