#include "observability/gpu_metrics.h"

#include <dlfcn.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace nereid {
namespace {

// The management library's C interface, as far as it is used; 0 is success.
using Device = void*;
struct Utilization {
  unsigned gpu;
  unsigned memory;
};
struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct Nvml {
  int (*init)() = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*handle)(unsigned, Device*) = nullptr;
  int (*uuid)(Device, char*, unsigned) = nullptr;
  int (*utilization)(Device, Utilization*) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  int (*power_usage)(Device, unsigned*) = nullptr;       // milliwatts
  int (*power_limit)(Device, unsigned*) = nullptr;       // milliwatts
  int (*energy)(Device, unsigned long long*) = nullptr;  // millijoules since the driver loaded

  template <typename F>
  static bool Find(void* library, const char* symbol, F* out) {
    *out = reinterpret_cast<F>(dlsym(library, symbol));
    return *out != nullptr;
  }

  bool Open() {
    void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    return library != nullptr && Find(library, "nvmlInit_v2", &init) &&
           Find(library, "nvmlDeviceGetCount_v2", &count) &&
           Find(library, "nvmlDeviceGetHandleByIndex_v2", &handle) &&
           Find(library, "nvmlDeviceGetUUID", &uuid) &&
           Find(library, "nvmlDeviceGetUtilizationRates", &utilization) &&
           Find(library, "nvmlDeviceGetMemoryInfo", &memory) &&
           Find(library, "nvmlDeviceGetPowerUsage", &power_usage) &&
           Find(library, "nvmlDeviceGetEnforcedPowerLimit", &power_limit) &&
           Find(library, "nvmlDeviceGetTotalEnergyConsumption", &energy);
  }
};

struct Gpu {
  Device device = nullptr;
  std::string uuid;
  unsigned long long energy_at_start = 0;
};

using Read = std::optional<double> (*)(const Nvml&, const Gpu&);

std::optional<double> Milli(int (*call)(Device, unsigned*), Device device) {
  unsigned value = 0;
  if (call(device, &value) != 0) return std::nullopt;
  return value / 1000.0;
}

struct Row {
  const char* name;
  const char* help;
  MetricFamily::Type type;
  Read read;
};

constexpr Row kRows[] = {
    {"nv_gpu_utilization", "Share of time the GPU was busy, 0 to 1", MetricFamily::Type::kGauge,
     [](const Nvml& nvml, const Gpu& gpu) -> std::optional<double> {
       Utilization value{};
       if (nvml.utilization(gpu.device, &value) != 0) return std::nullopt;
       return value.gpu / 100.0;
     }},
    {"nv_gpu_memory_total_bytes", "Memory of the GPU in bytes", MetricFamily::Type::kGauge,
     [](const Nvml& nvml, const Gpu& gpu) -> std::optional<double> {
       Memory value{};
       if (nvml.memory(gpu.device, &value) != 0) return std::nullopt;
       return static_cast<double>(value.total);
     }},
    {"nv_gpu_memory_used_bytes", "Memory of the GPU in use in bytes", MetricFamily::Type::kGauge,
     [](const Nvml& nvml, const Gpu& gpu) -> std::optional<double> {
       Memory value{};
       if (nvml.memory(gpu.device, &value) != 0) return std::nullopt;
       return static_cast<double>(value.used);
     }},
    {"nv_gpu_power_usage", "Power the GPU draws in watts", MetricFamily::Type::kGauge,
     [](const Nvml& nvml, const Gpu& gpu) { return Milli(nvml.power_usage, gpu.device); }},
    {"nv_gpu_power_limit", "Power the GPU may draw in watts", MetricFamily::Type::kGauge,
     [](const Nvml& nvml, const Gpu& gpu) { return Milli(nvml.power_limit, gpu.device); }},
    {"nv_energy_consumption", "Energy the GPU has used since the server started, in joules",
     MetricFamily::Type::kCounter,
     [](const Nvml& nvml, const Gpu& gpu) -> std::optional<double> {
       unsigned long long value = 0;
       if (nvml.energy(gpu.device, &value) != 0) return std::nullopt;
       return static_cast<double>(value - gpu.energy_at_start) / 1000.0;
     }},
};

class GpuMetrics : public MetricSource {
 public:
  GpuMetrics(Nvml nvml, std::vector<Gpu> gpus, std::chrono::milliseconds interval)
      : nvml_(nvml), gpus_(std::move(gpus)), interval_(interval) {}

  void Collect(std::vector<MetricFamily>* families) override {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (reading_.empty() || now - measured_ >= interval_) {
      reading_ = Measure();
      measured_ = now;
    }
    families->insert(families->end(), reading_.begin(), reading_.end());
  }

 private:
  std::vector<MetricFamily> Measure() const {
    std::vector<MetricFamily> families;
    for (const Row& row : kRows) {
      MetricFamily family{row.name, row.help, row.type, {}};
      for (const Gpu& gpu : gpus_) {
        if (const auto value = row.read(nvml_, gpu)) {
          family.samples.push_back({{{"gpu_uuid", gpu.uuid}}, *value});
        }
      }
      families.push_back(std::move(family));
    }
    return families;
  }

  const Nvml nvml_;
  const std::vector<Gpu> gpus_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::vector<MetricFamily> reading_;               // guarded by mutex_
  std::chrono::steady_clock::time_point measured_;  // guarded by mutex_
};

}  // namespace

std::shared_ptr<MetricSource> MakeGpuMetrics(std::chrono::milliseconds interval) {
  Nvml nvml;
  unsigned count = 0;
  if (!nvml.Open() || nvml.init() != 0 || nvml.count(&count) != 0) return nullptr;
  std::vector<Gpu> gpus;
  for (unsigned i = 0; i < count; ++i) {
    Gpu gpu;
    char uuid[96] = {};
    if (nvml.handle(i, &gpu.device) != 0 || nvml.uuid(gpu.device, uuid, sizeof(uuid)) != 0)
      continue;
    gpu.uuid = uuid;
    nvml.energy(gpu.device, &gpu.energy_at_start);
    gpus.push_back(std::move(gpu));
  }
  if (gpus.empty()) return nullptr;
  return std::make_shared<GpuMetrics>(nvml, std::move(gpus), interval);
}

std::vector<GpuFamily> GpuFamilies() {
  std::vector<GpuFamily> families;
  for (const Row& row : kRows) {
    families.push_back({row.name, row.help, row.type == MetricFamily::Type::kCounter});
  }
  return families;
}

}  // namespace nereid
