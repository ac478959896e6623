#include <gtest/gtest.h>

#include "observability/cpu_metrics.h"
#include "observability/metrics_registry.h"

namespace nereid {
namespace {

struct FixedSource : MetricSource {
  void Collect(std::vector<MetricFamily>* families) override { *families = content; }
  std::vector<MetricFamily> content;
};

TEST(MetricsRegistryTest, PrintsCountersAndGaugesOfItsSources) {
  MetricsRegistry registry;
  auto source = std::make_shared<FixedSource>();
  source->content = {{"c_total",
                      "Counted",
                      MetricFamily::Type::kCounter,
                      {{{{"model", "m"}, {"version", "1"}}, 12}}},
                     {"g", "Gauged", MetricFamily::Type::kGauge, {{{}, 0.25}}},
                     {"empty", "Nothing", MetricFamily::Type::kGauge, {}}};
  registry.AddSource(source);
  const std::string text = registry.Text();
  EXPECT_NE(text.find("# HELP c_total Counted\n# TYPE c_total counter\n"
                      "c_total{model=\"m\",version=\"1\"} 12\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("g 0.25"), std::string::npos) << text;
  EXPECT_EQ(text.find("empty"), std::string::npos) << text;
}

TEST(MetricsRegistryTest, ASourceThatIsGoneIsNotAsked) {
  MetricsRegistry registry;
  auto source = std::make_shared<FixedSource>();
  source->content = {{"c", "h", MetricFamily::Type::kCounter, {{{}, 1}}}};
  registry.AddSource(source);
  source.reset();
  EXPECT_EQ(registry.Text(), "");
}

TEST(MetricsRegistryTest, ADistributionsSeriesEndsWithIt) {
  MetricsRegistry registry;
  auto histogram = registry.MakeHistogram("h_ms", "help", {{"model", "m"}}, {100, 500});
  auto summary = registry.MakeSummary("s_us", "help", {{"model", "m"}}, {{0.5, 0.05}});
  histogram->Observe(50);
  histogram->Observe(300);
  summary->Observe(7);
  std::string text = registry.Text();
  EXPECT_NE(text.find("h_ms_bucket{model=\"m\",le=\"100\"} 1"), std::string::npos) << text;
  EXPECT_NE(text.find("h_ms_bucket{model=\"m\",le=\"500\"} 2"), std::string::npos) << text;
  EXPECT_NE(text.find("s_us_count{model=\"m\"} 1"), std::string::npos) << text;
  histogram.reset();
  summary.reset();
  text = registry.Text();
  EXPECT_EQ(text.find("h_ms"), std::string::npos) << text;
  EXPECT_EQ(text.find("s_us"), std::string::npos) << text;
}

TEST(MetricsRegistryTest, EqualSeriesAreOneUntilTheLastOfThemEnds) {
  MetricsRegistry registry;
  const auto make = [&] { return registry.MakeHistogram("h_ms", "help", {{"model", "m"}}, {100}); };
  auto old_version = make();
  auto new_version = make();
  old_version->Observe(1);
  old_version.reset();
  new_version->Observe(2);
  EXPECT_NE(registry.Text().find("h_ms_count{model=\"m\"} 2"), std::string::npos);
  new_version.reset();
  EXPECT_EQ(registry.Text().find("h_ms"), std::string::npos);
  make()->Observe(3);
  EXPECT_EQ(registry.Text().find("h_ms"), std::string::npos);
}

TEST(MetricsRegistryTest, ASummaryTellsItsQuantilesCountAndSum) {
  MetricsRegistry registry;
  auto summary = registry.MakeSummary("s_us", "help", {{"model", "m"}}, {{0.5, 0.05}, {1, 0.1}});
  for (const double value : {3.0, 1.0, 4.0}) summary->Observe(value);
  const std::string text = registry.Text();
  EXPECT_NE(text.find("# TYPE s_us summary\ns_us_count{model=\"m\"} 3\ns_us_sum{model=\"m\"} 8\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("s_us{model=\"m\",quantile=\"0.5\"} 3.0"), std::string::npos) << text;
  EXPECT_NE(text.find("s_us{model=\"m\",quantile=\"1\"} 4.0"), std::string::npos) << text;
}

TEST(MetricsRegistryTest, EqualSummariesAreOneUntilTheLastOfThemEnds) {
  MetricsRegistry registry;
  const auto make = [&] {
    return registry.MakeSummary("s_us", "help", {{"model", "m"}}, {{1, 0}});
  };
  auto old_version = make();
  auto new_version = make();
  old_version->Observe(1);
  old_version.reset();
  new_version->Observe(2);
  EXPECT_NE(registry.Text().find("s_us_count{model=\"m\"} 2"), std::string::npos);
  new_version.reset();
  EXPECT_EQ(registry.Text().find("s_us"), std::string::npos);
}

TEST(CpuMetricsTest, ReadsProcStatAndMeminfo) {
  const auto times = ParseCpuTimes("cpu  10 1 20 100 5 2 3 4 0 0\ncpu0 1 2 3\n");
  ASSERT_TRUE(times.has_value());
  EXPECT_EQ(times->total, 145u);
  EXPECT_EQ(times->busy, 40u);
  EXPECT_FALSE(ParseCpuTimes("intr 5").has_value());
  EXPECT_FALSE(ParseCpuTimes("cpu 1 2").has_value());
  EXPECT_EQ(*ParseMemoryField("MemTotal:  16 kB\nMemAvailable: 4 kB\n", "MemAvailable"), 4096u);
  EXPECT_FALSE(ParseMemoryField("MemTotal: 16 kB\n", "MemAvailable").has_value());
}

TEST(CpuMetricsTest, ReportsThisMachine) {
  CpuMetrics metrics{std::chrono::milliseconds(0)};
  std::vector<MetricFamily> families;
  metrics.Collect(&families);
  ASSERT_EQ(families.size(), 3u);
  EXPECT_EQ(families[0].name, "nv_cpu_utilization");
  EXPECT_GE(families[0].samples[0].value, 0);
  EXPECT_LE(families[0].samples[0].value, 1);
  EXPECT_GT(families[1].samples[0].value, families[2].samples[0].value);
}

}  // namespace
}  // namespace nereid
