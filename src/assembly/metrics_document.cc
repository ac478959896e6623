#include "assembly/metrics_document.h"

#include "assembly/duration_metrics.h"
#include "assembly/host_metrics.h"
#include "assembly/model_metrics.h"
#include "assembly/process_metrics.h"
#include "common/strings.h"
#include "observability/backend_families.h"
#include "observability/cpu_metrics.h"
#include "observability/gpu_metrics.h"

namespace nereid {
namespace {

void AddRow(std::string* text, std::string_view name, bool counter, std::string_view labels,
            std::string_view help, std::string_view when) {
  StrAppend(text, "| `", name, "` | ", counter ? "counter" : "gauge", " | ", labels, " | ", help,
            " | ", when, " |\n");
}

void AddSource(std::string* text, MetricSource& source) {
  std::vector<MetricFamily> families;
  source.Collect(&families);
  for (const MetricFamily& family : families) {
    AddRow(text, family.name, family.type == MetricFamily::Type::kCounter, "", family.help, "");
  }
}

}  // namespace

std::string MetricsDocument() {
  std::string text =
      "# Metrics\n\n"
      "Made from the tables of families by `nereid --metrics-document`; a test keeps it in step.\n"
      "`GET /metrics` on the metrics port (`--metrics-port`) answers in Prometheus text format. "
      "The\n"
      "counts are the same as those of the statistics extension. Model series also carry the\n"
      "configuration's `metric_tags`, each as `_<name>`, and with `--model-namespacing` the\n"
      "`namespace`: the path of the model's repository.\n\n"
      "| family | type | labels | meaning | only with |\n|---|---|---|---|---|\n";
  for (const ModelMetricRow& row : ModelMetricTable()) {
    AddRow(&text, row.name, row.type == MetricFamily::Type::kCounter, "model, version", row.help,
           row.is_latency ? "`--metrics-config counter_latencies=true` (default)" : "");
  }
  AddRow(&text, kFailureFamily, true, "model, version, reason", kFailureHelp, "");
  for (const DurationFamily& family : DurationFamilies()) {
    const bool histogram =
        std::string_view(family.name).find("histogram") != std::string_view::npos;
    StrAppend(&text, "| `", family.name, "` | ", histogram ? "histogram" : "summary",
              " | model, version | ", family.help, " | `--metrics-config ",
              histogram ? "histogram" : "summary", "_latencies=true` |\n");
  }
  ProcessMetrics process(0);
  AddSource(&text, process);
  HostMetrics host;
  AddSource(&text, host);
  CpuMetrics cpu{std::chrono::milliseconds(0)};
  AddSource(&text, cpu);
  for (const GpuFamily& family : GpuFamilies()) {
    AddRow(&text, family.name, family.is_counter, "gpu_uuid", family.help, "a GPU");
  }
  for (const BackendFamily& family : kBackendFamilies) {
    AddRow(&text, family.spec.name, family.spec.kind == MetricSpec::Kind::kCounter, family.labels,
           family.spec.help, family.when);
  }
  StrAppend(
      &text,
      "\n`reason` is `REJECTED` (timed out in the queue), `CANCELED`, `BACKEND` (the backend "
      "failed) or `OTHER`.\nRequests that are refused at submission (invalid, queue full) are "
      "counted in no family.\n`gpu` is the ordinal of the GPU. Other backends may publish families "
      "of "
      "their own, see [backends.md](backends.md).\n");
  return text;
}

}  // namespace nereid
