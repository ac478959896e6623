#include "observability/published_metrics.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <utility>

#include "common/log.h"

namespace nereid {
namespace {

constexpr std::string_view kPrefix = "nereid_";

bool IsName(std::string_view name) {
  return !name.empty() && (name[0] < '0' || name[0] > '9') && std::ranges::all_of(name, [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
}

MetricFamily::Type TypeOf(MetricSpec::Kind kind) {
  return kind == MetricSpec::Kind::kCounter ? MetricFamily::Type::kCounter
                                            : MetricFamily::Type::kGauge;
}

}  // namespace

// Series by family. Values are read without stopping their writers.
class PublishedMetrics::Table : public std::enable_shared_from_this<Table> {
 public:
  std::unique_ptr<MetricValue> Make(const MetricSpec& spec, MetricLabels labels);
  void Collect(std::vector<MetricFamily>* families) const;

 private:
  class Value;
  struct Series {
    MetricLabels labels;
    std::atomic<double> value{0};
  };
  struct Family {
    std::string help;
    MetricFamily::Type type;
    std::list<Series> series;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;  // guarded by mutex_
};

// A series, or nothing at all when it has no table.
class PublishedMetrics::Table::Value : public MetricValue {
 public:
  Value() = default;
  Value(std::shared_ptr<Table> table, std::list<Series>* list, std::list<Series>::iterator series)
      : table_(std::move(table)), list_(list), series_(series) {}
  ~Value() override {
    if (table_ == nullptr) return;
    const std::lock_guard lock(table_->mutex_);
    list_->erase(series_);
  }
  void Add(double amount) noexcept override {
    if (table_ != nullptr) series_->value.fetch_add(amount, std::memory_order_relaxed);
  }
  void Set(double value) noexcept override {
    if (table_ != nullptr) series_->value.store(value, std::memory_order_relaxed);
  }

 private:
  const std::shared_ptr<Table> table_;
  std::list<Series>* const list_ = nullptr;
  const std::list<Series>::iterator series_{};
};

std::unique_ptr<MetricValue> PublishedMetrics::Table::Make(const MetricSpec& spec,
                                                           MetricLabels labels) {
  const bool named = IsName(spec.name) && spec.name.starts_with(kPrefix) &&
                     std::ranges::all_of(labels, [](const auto& l) { return IsName(l.first); });
  const MetricFamily::Type type = TypeOf(spec.kind);
  {
    const std::lock_guard lock(mutex_);
    auto known = families_.find(spec.name);
    if (named && known == families_.end()) {
      known = families_.emplace(spec.name, Family{std::string(spec.help), type, {}}).first;
    }
    if (named && known->second.type == type) {
      std::list<Series>& list = known->second.series;
      list.emplace_back();
      list.back().labels = std::move(labels);
      return std::make_unique<Value>(shared_from_this(), &list, std::prev(list.end()));
    }
  }
  NLOG(Warning) << "a backend's metric '" << spec.name << "' is not published: "
                << (named ? "another one of that name is of another kind"
                          : "names are letters, digits and '_', and begin with 'nereid_'");
  return std::make_unique<Value>();
}

void PublishedMetrics::Table::Collect(std::vector<MetricFamily>* families) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, family] : families_) {
    std::map<MetricLabels, double> sums;
    for (const Series& series : family.series) {
      sums[series.labels] += series.value.load(std::memory_order_relaxed);
    }
    MetricFamily collected{name, family.help, family.type, {}};
    for (const auto& [labels, sum] : sums) collected.samples.push_back({labels, sum});
    families->push_back(std::move(collected));
  }
}

// Puts the publisher's labels before those of each series.
class PublishedMetrics::Publisher : public BackendMetrics {
 public:
  Publisher(std::shared_ptr<Table> table, MetricLabels labels)
      : table_(std::move(table)), labels_(std::move(labels)) {}
  std::unique_ptr<MetricValue> Make(const MetricSpec& spec, const Labels& labels) override {
    MetricLabels all = labels_;
    all.insert(all.end(), labels.begin(), labels.end());
    return table_->Make(spec, std::move(all));
  }

 private:
  const std::shared_ptr<Table> table_;
  const MetricLabels labels_;
};

PublishedMetrics::PublishedMetrics() : table_(std::make_shared<Table>()) {}
PublishedMetrics::~PublishedMetrics() = default;

std::shared_ptr<BackendMetrics> PublishedMetrics::For(MetricLabels labels) {
  return std::make_shared<Publisher>(table_, std::move(labels));
}

void PublishedMetrics::Collect(std::vector<MetricFamily>* families) { table_->Collect(families); }

}  // namespace nereid
