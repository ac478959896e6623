#pragma once

// Numbers that a backend publishes at the server's metrics endpoint. docs/backends.md says how.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nereid {

// One series. Written by any thread at any time, without a lock; it is gone with the object.
class MetricValue {
 public:
  virtual ~MetricValue() = default;
  // `amount` is not negative for counters.
  virtual void Add(double amount) noexcept = 0;
  // Gauges only.
  virtual void Set(double value) noexcept = 0;
};

// A family of series.
struct MetricSpec {
  enum class Kind : uint8_t { kCounter, kGauge };
  std::string_view name;  // "nereid_…", lower case, the unit last
  std::string_view help;
  Kind kind = Kind::kCounter;
};

// Makes series. Any thread; what was made may outlive it.
class BackendMetrics {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  virtual ~BackendMetrics() = default;
  // Never null. Series of equal name and labels are added up when they are read, so that instances
  // may each have their own. A spec that cannot be published (a name without the prefix, one in use
  // for another kind) is logged, and its series go nowhere.
  virtual std::unique_ptr<MetricValue> Make(const MetricSpec& spec, const Labels& labels) = 0;
};

}  // namespace nereid
