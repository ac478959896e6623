#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace nereid {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// A counter or gauge family as one scrape sees it.
struct MetricFamily {
  enum class Type { kCounter, kGauge };
  struct Sample {
    MetricLabels labels;
    double value = 0;
  };
  std::string name;
  std::string help;
  Type type = Type::kCounter;
  std::vector<Sample> samples;
};

// Something that is counted elsewhere and read when metrics are scraped, so that counting costs the
// data path nothing extra. Collect() may be called from any thread.
class MetricSource {
 public:
  virtual ~MetricSource() = default;
  virtual void Collect(std::vector<MetricFamily>* families) = 0;
};

// A distribution that is fed on the data path. The series disappears with the object.
class MetricDistribution {
 public:
  virtual ~MetricDistribution() = default;
  virtual void Observe(double value) noexcept = 0;
};

// All metrics of a server. Any thread.
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  // Asked at every scrape, in the order of addition, while somebody else keeps it alive.
  void AddSource(std::weak_ptr<MetricSource> source);

  // `buckets` are upper bounds, ascending.
  std::unique_ptr<MetricDistribution> MakeHistogram(const std::string& name,
                                                    const std::string& help,
                                                    const MetricLabels& labels,
                                                    const std::vector<double>& buckets);
  // Quantiles with their allowed errors over the last minute. Ranks are exact, values within 0.8 %.
  std::unique_ptr<MetricDistribution> MakeSummary(
      const std::string& name, const std::string& help, const MetricLabels& labels,
      const std::vector<std::pair<double, double>>& quantiles);

  // The exposition in Prometheus text format 0.0.4. Families without samples are left out.
  std::string Text() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace nereid
