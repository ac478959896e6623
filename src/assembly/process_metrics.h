#pragma once

#include <cstdint>

#include "observability/metrics_registry.h"

namespace nereid {

// What is counted of the process itself, over all that have taken over from each other.
class ProcessMetrics : public MetricSource {
 public:
  explicit ProcessMetrics(uint64_t restarts) : restarts_(restarts) {}
  void Collect(std::vector<MetricFamily>* families) override;

 private:
  const uint64_t restarts_;
};

}  // namespace nereid
