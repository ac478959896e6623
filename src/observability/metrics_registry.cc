#include "observability/metrics_registry.h"

#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>

#include "observability/summary_families.h"

namespace nereid {
namespace {

std::map<std::string, std::string> ToMap(const MetricLabels& labels) {
  return {labels.begin(), labels.end()};
}

prometheus::MetricFamily Convert(const MetricFamily& family) {
  prometheus::MetricFamily out;
  out.name = family.name;
  out.help = family.help;
  const bool is_counter = family.type == MetricFamily::Type::kCounter;
  out.type = is_counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  for (const MetricFamily::Sample& sample : family.samples) {
    prometheus::ClientMetric metric;
    for (const auto& [name, value] : ToMap(sample.labels)) metric.label.push_back({name, value});
    (is_counter ? metric.counter.value : metric.gauge.value) = sample.value;
    out.metric.push_back(std::move(metric));
  }
  return out;
}

// The series of histograms. Two versions of a model with the same labels share one
// while a reload swaps them: it goes with the last of them.
struct SharedSeries {
  prometheus::Registry registry;
  std::mutex mutex;
  std::map<std::pair<std::string, MetricLabels>, int> users;  // guarded by mutex
};

template <typename Metric>
class Distribution : public MetricDistribution {
 public:
  // `add(family)` finds or makes the series.
  template <typename Add>
  Distribution(std::shared_ptr<SharedSeries> series, prometheus::Family<Metric>* family,
               const MetricLabels& labels, Add add)
      : series_(std::move(series)), family_(family), key_(family->GetName(), labels) {
    std::lock_guard<std::mutex> lock(series_->mutex);
    ++series_->users[key_];
    metric_ = &add(*family_);
  }
  ~Distribution() override {
    std::lock_guard<std::mutex> lock(series_->mutex);
    const auto users = series_->users.find(key_);
    if (--users->second > 0) return;
    series_->users.erase(users);
    family_->Remove(metric_);
  }
  void Observe(double value) noexcept override { metric_->Observe(value); }

 private:
  const std::shared_ptr<SharedSeries> series_;  // owns the family
  prometheus::Family<Metric>* const family_;
  const std::pair<std::string, MetricLabels> key_;
  Metric* metric_ = nullptr;
};

}  // namespace

class MetricsRegistry::Impl {
 public:
  const std::shared_ptr<SharedSeries> series = std::make_shared<SharedSeries>();
  SummaryFamilies summaries;
  mutable std::mutex mutex;
  std::vector<std::weak_ptr<MetricSource>> sources;  // guarded by mutex
};

MetricsRegistry::MetricsRegistry() : impl_(std::make_unique<Impl>()) {}
MetricsRegistry::~MetricsRegistry() = default;

void MetricsRegistry::AddSource(std::weak_ptr<MetricSource> source) {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  impl_->sources.push_back(std::move(source));
}

std::unique_ptr<MetricDistribution> MetricsRegistry::MakeHistogram(
    const std::string& name, const std::string& help, const MetricLabels& labels,
    const std::vector<double>& buckets) {
  auto& family =
      prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->series->registry);
  return std::make_unique<Distribution<prometheus::Histogram>>(
      impl_->series, &family, labels,
      [&](auto& made) -> prometheus::Histogram& { return made.Add(ToMap(labels), buckets); });
}

std::unique_ptr<MetricDistribution> MetricsRegistry::MakeSummary(
    const std::string& name, const std::string& help, const MetricLabels& labels,
    const std::vector<std::pair<double, double>>& quantiles) {
  return impl_->summaries.Make(name, help, labels, quantiles);
}

std::string MetricsRegistry::Text() const {
  std::vector<std::shared_ptr<MetricSource>> sources;
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    for (const auto& weak : impl_->sources) {
      if (auto source = weak.lock()) sources.push_back(std::move(source));
    }
  }
  std::vector<MetricFamily> families;
  for (const auto& source : sources) source->Collect(&families);
  std::vector<prometheus::MetricFamily> converted;
  for (const MetricFamily& family : families) {
    if (!family.samples.empty()) converted.push_back(Convert(family));
  }
  for (prometheus::MetricFamily& family : impl_->series->registry.Collect()) {
    if (!family.metric.empty()) converted.push_back(std::move(family));
  }
  impl_->summaries.Collect(&converted);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, converted);
  return text.str();
}

}  // namespace nereid
