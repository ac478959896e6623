#pragma once

#include <memory>

#include "nereid/backend_metrics.h"
#include "observability/metrics_registry.h"

namespace nereid {

// The series that backends publish, for the registry to read. Any thread.
class PublishedMetrics : public MetricSource {
 public:
  PublishedMetrics();
  ~PublishedMetrics() override;

  // For one publisher, whose series all carry `labels` before their own. May outlive this.
  std::shared_ptr<BackendMetrics> For(MetricLabels labels);

  void Collect(std::vector<MetricFamily>* families) override;

 private:
  class Table;
  class Publisher;
  const std::shared_ptr<Table> table_;
};

}  // namespace nereid
