#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "observability/metrics_registry.h"

namespace prometheus {
struct MetricFamily;
}

namespace nereid {

// The summaries of a registry. Distributions of one name and the same labels are one series, which
// ends with the last of them. Any thread.
class SummaryFamilies {
 public:
  std::unique_ptr<MetricDistribution> Make(const std::string& name, const std::string& help,
                                           const MetricLabels& labels,
                                           const std::vector<std::pair<double, double>>& quantiles);

  // Appends the families that have a series.
  void Collect(std::vector<prometheus::MetricFamily>* families) const;

 private:
  class Series;
  struct Family {
    std::string help;
    std::map<MetricLabels, std::weak_ptr<Series>> series;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;  // guarded by mutex_
};

}  // namespace nereid
