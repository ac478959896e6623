#include "frontend/grpc/statistics_handler.h"

#include <string>

#include "common/status_macros.h"
#include "proto/grpc_service.pb.h"
#include "server/inference_server.h"
#include "wire/model_version.h"

namespace nereid {
namespace {

using Duration = ModelStatistics::Duration;

void Copy(const Duration& duration, inference::StatisticDuration* out) {
  out->set_count(duration.count);
  out->set_ns(duration.ns);
}

void Copy(const ModelStatistics::Snapshot& snapshot, inference::InferStatistics* out) {
  Copy(snapshot.success, out->mutable_success());
  Copy(snapshot.fail, out->mutable_fail());
  Copy(snapshot.queue, out->mutable_queue());
  Copy(snapshot.compute_input, out->mutable_compute_input());
  Copy(snapshot.compute_infer, out->mutable_compute_infer());
  Copy(snapshot.compute_output, out->mutable_compute_output());
  Copy(snapshot.cache_hit, out->mutable_cache_hit());
  Copy(snapshot.cache_miss, out->mutable_cache_miss());
}

void Copy(const ModelStatistics::BatchStat& batch, inference::InferBatchStatistics* out) {
  out->set_batch_size(batch.batch_size);
  Copy(batch.compute_input, out->mutable_compute_input());
  Copy(batch.compute_infer, out->mutable_compute_infer());
  Copy(batch.compute_output, out->mutable_compute_output());
}

void Copy(const ModelStatistics::ResponseStat& response, inference::InferResponseStatistics* out) {
  Copy(response.compute_infer, out->mutable_compute_infer());
  Copy(response.compute_output, out->mutable_compute_output());
  Copy(response.success, out->mutable_success());
  Copy(response.fail, out->mutable_fail());
  Copy(response.empty_response, out->mutable_empty_response());
  Copy(response.cancel, out->mutable_cancel());
}

const char* MemoryTypeName(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kCpu:
      return "CPU";
    case MemoryKind::kPinned:
      return "CPU_PINNED";
    case MemoryKind::kGpu:
      return "GPU";
  }
  return "CPU";
}

void Copy(const MemoryEstimate::Item& item, inference::MemoryUsage* out) {
  out->set_type(MemoryTypeName(item.place.kind));
  out->set_id(item.place.device);
  out->set_byte_size(item.byte_size);
}

void Copy(const StatisticsRow& row, inference::ModelStatistics* out) {
  const ModelStatistics::Snapshot& snapshot = row.statistics;
  out->set_name(row.name);
  out->set_version(std::to_string(row.version));
  out->set_last_inference(snapshot.last_inference_ms);
  out->set_inference_count(snapshot.inference_count);
  out->set_execution_count(snapshot.execution_count);
  Copy(snapshot, out->mutable_inference_stats());
  for (const auto& batch : snapshot.batches) Copy(batch, out->add_batch_stats());
  for (const auto& item : row.memory_usage.items) Copy(item, out->add_memory_usage());
  auto& responses = *out->mutable_response_stats();
  for (const auto& response : snapshot.responses) {
    Copy(response, &responses[std::to_string(response.index)]);
  }
}

}  // namespace

absl::Status ModelStatisticsOf(const RpcEnvironment& environment,
                               const inference::ModelStatisticsRequest& request,
                               inference::ModelStatisticsResponse* response) {
  NEREID_ASSIGN_OR_RETURN(const int64_t version, ParseModelVersion(request.version()));
  NEREID_ASSIGN_OR_RETURN(const auto rows, environment.server->Statistics(request.name(), version));
  for (const StatisticsRow& row : rows) Copy(row, response->add_model_stats());
  return absl::OkStatus();
}

}  // namespace nereid
