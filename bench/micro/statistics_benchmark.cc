// What one request pays for being counted: the statistics alone, and with the distributions that
// --metrics-config switches on.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "assembly/duration_metrics.h"
#include "config/config_parser.h"
#include "infer/model_statistics.h"
#include "nereid/model_config.h"
#include "observability/metrics_registry.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

std::shared_ptr<const ModelConfig> AnyConfig() {
  auto config = ParseConfigText(R"(name: "m" backend: "identity")", "config.pbtxt");
  return *ModelConfig::Create(*std::move(config), {});
}

// As ServedModel and InstanceWorker count one request that was a batch of its own.
void CountRequests(ModelStatistics& statistics, benchmark::State& state) {
  for (auto _ : state) {
    const TimePoint now = Clock::now();
    const Timeline timeline{now, now, now, now, now, now};
    statistics.AddPending(1);
    statistics.AddPending(-1);
    statistics.RecordExecution(timeline, 1);
    statistics.RecordFirstResponse(Clock::now() - timeline.received);
    statistics.RecordSuccess(timeline, Clock::now(), 1);
  }
}

void BM_Statistics(benchmark::State& state) {
  ModelStatistics statistics;
  CountRequests(statistics, state);
}
BENCHMARK(BM_Statistics);

void BM_StatisticsAndDistributions(benchmark::State& state) {
  MetricsRegistry registry;
  const DurationMetricsOptions options{
      .summaries = state.range(0) != 0,
      .histograms = state.range(1) != 0,
      .quantiles = {{0.5, 0.05}, {0.9, 0.01}, {0.95, 0.001}, {0.99, 0.001}, {0.999, 0.001}}};
  ModelStatistics statistics;
  statistics.SetListener(MakeDurationListener(&registry, options, {{"model", "m"}}, *AnyConfig()));
  CountRequests(statistics, state);
}
BENCHMARK(BM_StatisticsAndDistributions)
    ->ArgNames({"summaries", "histograms"})
    ->Args({0, 1})
    ->Args({1, 0});

}  // namespace
}  // namespace nereid
