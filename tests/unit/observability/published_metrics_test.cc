#include "observability/published_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace nereid {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr MetricSpec kSteps = {"nereid_x_steps", "Steps", MetricSpec::Kind::kCounter};
constexpr MetricSpec kBytes = {"nereid_x_bytes", "Bytes", MetricSpec::Kind::kGauge};

class PublishedMetricsTest : public ::testing::Test {
 protected:
  PublishedMetricsTest() { registry_.AddSource(published_); }

  const std::shared_ptr<PublishedMetrics> published_ = std::make_shared<PublishedMetrics>();
  MetricsRegistry registry_;
};

TEST_F(PublishedMetricsTest, AreReadWithTheLabelsOfPublisherAndSeries) {
  const auto metrics = published_->For({{"model", "m"}});
  const auto steps = metrics->Make(kSteps, {});
  const auto bytes = metrics->Make(kBytes, {{"gpu", "1"}});
  steps->Add(2);
  steps->Add(3);
  bytes->Set(100);
  bytes->Add(-60);
  const std::string text = registry_.Text();
  EXPECT_THAT(text, HasSubstr("# HELP nereid_x_steps Steps\n# TYPE nereid_x_steps counter\n"
                              "nereid_x_steps{model=\"m\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE nereid_x_bytes gauge\n"));
  EXPECT_THAT(text, HasSubstr("gpu=\"1\""));
  EXPECT_THAT(text, HasSubstr("} 40\n"));
}

TEST_F(PublishedMetricsTest, EqualSeriesAreAddedUpAndEndWithTheirObjects) {
  const auto metrics = published_->For({{"model", "m"}});
  auto first = metrics->Make(kBytes, {});
  auto second = metrics->Make(kBytes, {});
  first->Set(1);
  second->Set(20);
  EXPECT_THAT(registry_.Text(), HasSubstr("nereid_x_bytes{model=\"m\"} 21\n"));
  second.reset();
  EXPECT_THAT(registry_.Text(), HasSubstr("nereid_x_bytes{model=\"m\"} 1\n"));
  first.reset();
  EXPECT_EQ(registry_.Text(), "");
}

TEST_F(PublishedMetricsTest, WhatCannotBePublishedGoesNowhere) {
  const auto metrics = published_->For({});
  const auto kept = metrics->Make(kSteps, {});
  const struct {
    MetricSpec spec;
    BackendMetrics::Labels labels;
  } rows[] = {
      {{"nv_inference_count", "not ours", MetricSpec::Kind::kCounter}, {}},
      {{"nereid_x steps", "no name", MetricSpec::Kind::kCounter}, {}},
      {{"nereid_x_steps", "another kind", MetricSpec::Kind::kGauge}, {}},
      {{"nereid_x_more", "no label", MetricSpec::Kind::kGauge}, {{"a b", "c"}}},
      {{"nereid_x_more", "no label", MetricSpec::Kind::kGauge}, {{"", "c"}}},
  };
  for (const auto& row : rows) {
    const auto value = metrics->Make(row.spec, row.labels);
    ASSERT_NE(value, nullptr);
    value->Set(77);
    value->Add(77);
    EXPECT_THAT(registry_.Text(), Not(HasSubstr("77"))) << row.spec.help;
  }
  EXPECT_THAT(registry_.Text(), HasSubstr("nereid_x_steps 0\n"));
}

TEST_F(PublishedMetricsTest, OutliveTheSource) {
  auto source = std::make_shared<PublishedMetrics>();
  const auto metrics = source->For({});
  source.reset();
  const auto value = metrics->Make(kSteps, {});
  value->Add(1);
}

TEST_F(PublishedMetricsTest, ManyThreadsCountTogether) {
  const auto metrics = published_->For({});
  const auto value = metrics->Make(kSteps, {});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        value->Add(1);
        const auto own = metrics->Make(kBytes, {});
        own->Set(1);
      }
    });
  }
  for (int i = 0; i < 50; ++i) registry_.Text();
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(registry_.Text(), HasSubstr("nereid_x_steps 4000\n"));
}

}  // namespace
}  // namespace nereid
