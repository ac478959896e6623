#include "assembly/host_metrics.h"

#include "common/page_pool.h"

namespace nereid {

void HostMetrics::Collect(std::vector<MetricFamily>* families) {
  const PagePool::Statistics pool = PagePool::Shared().statistics();
  const auto gauge = [&](const char* name, const char* help, double value) {
    families->push_back({name, help, MetricFamily::Type::kGauge, {{{}, value}}});
  };
  gauge("nereid_host_pool_used_bytes", "Host memory of the pool in use by requests and responses",
        static_cast<double>(pool.bytes_in_use));
  gauge("nereid_host_pool_idle_bytes", "Host memory the pool keeps for reuse",
        static_cast<double>(pool.bytes_idle));
  // There is no such pool: what backends pin is theirs to publish (nereid_cuda_pinned_bytes).
  gauge("nv_pinned_memory_pool_total_bytes", "Pinned host memory reserved, in bytes", 0);
  gauge("nv_pinned_memory_pool_used_bytes", "Pinned host memory in use, in bytes", 0);
}

}  // namespace nereid
