#pragma once

#include "observability/metrics_registry.h"

namespace nereid {

// The server's own host memory: nereid_host_pool_* and the pinned pool.
class HostMetrics : public MetricSource {
 public:
  void Collect(std::vector<MetricFamily>* families) override;
};

}  // namespace nereid
