#include "observability/cpu_metrics.h"

#include <fstream>
#include <sstream>

namespace nereid {
namespace {

std::string ReadProc(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

MetricFamily Gauge(const char* name, const char* help, double value) {
  return {name, help, MetricFamily::Type::kGauge, {{{}, value}}};
}

}  // namespace

std::optional<CpuTimes> ParseCpuTimes(const std::string& text) {
  std::istringstream in(text);
  std::string label;
  if (!(in >> label) || label != "cpu") return std::nullopt;
  // user nice system idle iowait irq softirq steal
  uint64_t fields[8] = {};
  for (uint64_t& field : fields) {
    if (!(in >> field)) return std::nullopt;
  }
  CpuTimes times;
  for (uint64_t field : fields) times.total += field;
  times.busy = times.total - fields[3] - fields[4];
  return times;
}

std::optional<uint64_t> ParseMemoryField(const std::string& text, const std::string& field) {
  std::istringstream in(text);
  std::string line;
  while (std::getline(in, line)) {
    if (line.compare(0, field.size() + 1, field + ":") != 0) continue;
    uint64_t kibibytes = 0;
    std::istringstream value(line.substr(field.size() + 1));
    if (!(value >> kibibytes)) return std::nullopt;
    return kibibytes * 1024;
  }
  return std::nullopt;
}

CpuMetrics::CpuMetrics(std::chrono::milliseconds interval, const TimeSource& time)
    : interval_(interval), time_(time), measured_(time.Now()) {
  if (auto times = ParseCpuTimes(ReadProc("/proc/stat"))) last_ = *times;
}

void CpuMetrics::Collect(std::vector<MetricFamily>* families) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (const auto times = ParseCpuTimes(ReadProc("/proc/stat"))) {
    const auto now = time_.Now();
    if (now - measured_ >= interval_ && times->total > last_.total) {
      utilization_ = static_cast<double>(times->busy - last_.busy) /
                     static_cast<double>(times->total - last_.total);
      last_ = *times;
      measured_ = now;
    }
    families->push_back(
        Gauge("nv_cpu_utilization", "Share of processor time in use, 0 to 1", utilization_));
  }
  const std::string memory = ReadProc("/proc/meminfo");
  const auto total = ParseMemoryField(memory, "MemTotal");
  const auto available = ParseMemoryField(memory, "MemAvailable");
  if (!total || !available) return;
  families->push_back(Gauge("nv_cpu_memory_total_bytes", "Memory of the machine in bytes",
                            static_cast<double>(*total)));
  families->push_back(Gauge("nv_cpu_memory_used_bytes", "Memory in use in bytes",
                            static_cast<double>(*total - *available)));
}

}  // namespace nereid
