#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "common/clock.h"
#include "observability/metrics_registry.h"

namespace nereid {

// Busy and total processor time since boot, in the kernel's ticks over all processors.
struct CpuTimes {
  uint64_t busy = 0;
  uint64_t total = 0;
};

// The first line of /proc/stat; nothing when `text` does not look like it.
std::optional<CpuTimes> ParseCpuTimes(const std::string& text);

// A field of /proc/meminfo in bytes; nothing when it is missing.
std::optional<uint64_t> ParseMemoryField(const std::string& text, const std::string& field);

// nv_cpu_utilization, nv_cpu_memory_total_bytes, nv_cpu_memory_used_bytes. Utilisation is measured
// between scrapes that lie at least `interval` apart.
class CpuMetrics : public MetricSource {
 public:
  explicit CpuMetrics(std::chrono::milliseconds interval,
                      const TimeSource& time = TimeSource::Real());
  void Collect(std::vector<MetricFamily>* families) override;

 private:
  const std::chrono::milliseconds interval_;
  const TimeSource& time_;
  std::mutex mutex_;
  // Guarded by mutex_: the previous measurement.
  CpuTimes last_;
  std::chrono::steady_clock::time_point measured_;
  double utilization_ = 0;
};

}  // namespace nereid
