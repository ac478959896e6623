#include "wire/kserve_json_control.h"

#include <utility>

#include "common/json_text.h"
#include "common/strings.h"

namespace nereid {
namespace {

using Snapshot = ModelStatistics::Snapshot;

void AppendTensors(std::string_view key, const std::vector<TensorSpec>& specs, bool batches,
                   std::string* out) {
  StrAppend(out, ",\"", key, "\":[");
  bool first = true;
  for (const TensorSpec& spec : specs) {
    if (!std::exchange(first, false)) *out += ',';
    *out += "{\"name\":";
    AppendJsonString(spec.name, *out);
    StrAppend(out, ",\"datatype\":\"", ProtocolName(spec.data_type), "\",\"shape\":");
    Shape shape = spec.dims;
    if (batches) shape.insert(shape.begin(), -1);
    StrAppend(out, ShapeToString(shape), "}");
  }
  *out += ']';
}

void AppendDuration(std::string_view key, const ModelStatistics::Duration& duration,
                    std::string* out) {
  if (out->back() != '{') *out += ',';
  StrAppend(out, "\"", key, "\":{\"count\":", duration.count, ",\"ns\":", duration.ns, "}");
}

template <typename Stat>
struct DurationField {
  std::string_view key;
  ModelStatistics::Duration Stat::*duration;
};

constexpr DurationField<Snapshot> kInferenceFields[] = {
    {"success", &Snapshot::success},
    {"fail", &Snapshot::fail},
    {"queue", &Snapshot::queue},
    {"compute_input", &Snapshot::compute_input},
    {"compute_infer", &Snapshot::compute_infer},
    {"compute_output", &Snapshot::compute_output},
    {"cache_hit", &Snapshot::cache_hit},
    {"cache_miss", &Snapshot::cache_miss},
};

using ResponseStat = ModelStatistics::ResponseStat;
constexpr DurationField<ResponseStat> kResponseFields[] = {
    {"compute_infer", &ResponseStat::compute_infer},
    {"compute_output", &ResponseStat::compute_output},
    {"success", &ResponseStat::success},
    {"fail", &ResponseStat::fail},
    {"empty_response", &ResponseStat::empty_response},
    {"cancel", &ResponseStat::cancel},
};

using BatchStat = ModelStatistics::BatchStat;
constexpr DurationField<BatchStat> kBatchFields[] = {
    {"compute_input", &BatchStat::compute_input},
    {"compute_infer", &BatchStat::compute_infer},
    {"compute_output", &BatchStat::compute_output},
};

std::string_view MemoryName(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kPinned:
      return "CPU_PINNED";
    case MemoryKind::kGpu:
      return "GPU";
    case MemoryKind::kCpu:
      break;
  }
  return "CPU";
}

void AppendMemoryUsage(const MemoryEstimate& usage, std::string* out) {
  *out += ",\"memory_usage\":[";
  bool first = true;
  for (const MemoryEstimate::Item& item : usage.items) {
    if (!std::exchange(first, false)) *out += ',';
    StrAppend(out, "{\"type\":\"", MemoryName(item.place.kind), "\",\"id\":", item.place.device,
              ",\"byte_size\":", item.byte_size, "}");
  }
  *out += ']';
}

}  // namespace

std::string ModelMetadataJson(const ModelConfig& config, const std::vector<int64_t>& versions) {
  std::string out = "{\"name\":";
  AppendJsonString(config.name(), out);
  out += ",\"versions\":[";
  bool first = true;
  for (int64_t version : versions) {
    StrAppend(&out, std::exchange(first, false) ? "\"" : ",\"", version, "\"");
  }
  out += "],\"platform\":";
  AppendJsonString(config.platform().empty() ? config.backend() : config.platform(), out);
  const bool batches = config.max_batch_size() > 0;
  AppendTensors("inputs", config.inputs(), batches, &out);
  AppendTensors("outputs", config.outputs(), batches, &out);
  out += '}';
  return out;
}

void AppendModelStatistics(std::string_view name, int64_t version, const Snapshot& statistics,
                           const MemoryEstimate& memory_usage, std::string* out) {
  *out += "{\"name\":";
  AppendJsonString(name, *out);
  StrAppend(out, ",\"version\":\"", version, "\",\"last_inference\":", statistics.last_inference_ms,
            ",\"inference_count\":", statistics.inference_count,
            ",\"execution_count\":", statistics.execution_count, ",\"inference_stats\":{");
  for (const auto& field : kInferenceFields) {
    AppendDuration(field.key, statistics.*field.duration, out);
  }
  *out += "},\"response_stats\":{";
  for (const ResponseStat& response : statistics.responses) {
    if (out->back() != '{') *out += ',';
    StrAppend(out, "\"", response.index, "\":{");
    for (const auto& field : kResponseFields) {
      AppendDuration(field.key, response.*field.duration, out);
    }
    *out += '}';
  }
  *out += "},\"batch_stats\":[";
  bool first = true;
  for (const BatchStat& batch : statistics.batches) {
    if (!std::exchange(first, false)) *out += ',';
    StrAppend(out, "{\"batch_size\":", batch.batch_size);
    for (const auto& field : kBatchFields) AppendDuration(field.key, batch.*field.duration, out);
    *out += '}';
  }
  *out += ']';
  AppendMemoryUsage(memory_usage, out);
  *out += '}';
}

}  // namespace nereid
