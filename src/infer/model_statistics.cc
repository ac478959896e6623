#include "infer/model_statistics.h"

#include <algorithm>

namespace nereid {
namespace {

constexpr std::string_view kReasonNames[kFailureReasonCount] = {"REJECTED", "CANCELED", "BACKEND",
                                                                "OTHER"};

// 0 when either end was not reached.
std::chrono::nanoseconds Between(TimePoint from, TimePoint to) {
  if (from == TimePoint{} || to <= from) return std::chrono::nanoseconds{0};
  return to - from;
}

void Add(ModelStatistics::Duration& total, std::chrono::nanoseconds duration) {
  ++total.count;
  total.ns += static_cast<uint64_t>(duration.count());
}

}  // namespace

std::string_view FailureReasonName(FailureReason reason) {
  return kReasonNames[static_cast<size_t>(reason)];
}

void ModelStatistics::AtomicDuration::Add(std::chrono::nanoseconds duration) noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  ns.fetch_add(static_cast<uint64_t>(duration.count()), std::memory_order_relaxed);
}

ModelStatistics::Duration ModelStatistics::AtomicDuration::Read() const {
  return {count.load(std::memory_order_relaxed), ns.load(std::memory_order_relaxed)};
}

void ModelStatistics::RecordSuccess(const Timeline& timeline, TimePoint end,
                                    int64_t batch_size) noexcept {
  inference_count_.fetch_add(static_cast<uint64_t>(std::max<int64_t>(1, batch_size)),
                             std::memory_order_relaxed);
  success_.Add(Between(timeline.received, end));
  queue_.Add(Between(timeline.queued, timeline.exec_start));
  compute_input_.Add(Between(timeline.exec_start, timeline.compute_start));
  compute_infer_.Add(Between(timeline.compute_start, timeline.compute_end));
  compute_output_.Add(Between(timeline.compute_end, timeline.exec_end));
  last_received_.store(timeline.received.time_since_epoch().count(), std::memory_order_relaxed);
  if (listener_ != nullptr) listener_->OnSuccess(timeline, end);
}

void ModelStatistics::RecordFailure(const Timeline& timeline, TimePoint end,
                                    FailureReason reason) noexcept {
  fail_.Add(Between(timeline.received, end));
  failures_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
}

void ModelStatistics::RecordExecution(const Timeline& timeline, int64_t batch_size) noexcept {
  execution_count_.fetch_add(1, std::memory_order_relaxed);
  const auto key = static_cast<uint64_t>(std::max<int64_t>(1, batch_size));
  std::lock_guard<std::mutex> lock(mutex_);
  BatchStat& stat = batches_[key];
  stat.batch_size = key;
  Add(stat.compute_input, Between(timeline.exec_start, timeline.compute_start));
  Add(stat.compute_infer, Between(timeline.compute_start, timeline.compute_end));
  Add(stat.compute_output, Between(timeline.compute_end, timeline.exec_end));
}

void ModelStatistics::RecordResponse(int64_t index, const Timeline& timeline, TimePoint end,
                                     bool ok, bool empty, bool cancelled) noexcept {
  const auto key = static_cast<uint64_t>(std::max<int64_t>(0, index));
  const std::chrono::nanoseconds total = Between(timeline.exec_start, end);
  std::lock_guard<std::mutex> lock(mutex_);
  ResponseStat& stat = responses_[key];
  stat.index = key;
  if (cancelled) {
    Add(stat.cancel, total);
  } else if (!ok) {
    Add(stat.fail, total);
  } else if (empty) {
    Add(stat.empty_response, total);
  } else {
    Add(stat.compute_infer, Between(timeline.compute_start, timeline.compute_end));
    Add(stat.compute_output, Between(timeline.compute_end, end));
    Add(stat.success, total);
  }
}

void ModelStatistics::RecordFirstResponse(std::chrono::nanoseconds since_received) noexcept {
  if (listener_ != nullptr) listener_->OnFirstResponse(since_received);
}

uint64_t ModelStatistics::LastInferenceMs() const {
  const TimePoint received(Clock::duration(last_received_.load(std::memory_order_relaxed)));
  if (received == TimePoint{}) return 0;
  const auto then = std::chrono::system_clock::now() - (Clock::now() - received);
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(then.time_since_epoch()).count());
}

ModelStatistics::Snapshot ModelStatistics::Read() const {
  Snapshot snapshot;
  snapshot.last_inference_ms = LastInferenceMs();
  snapshot.inference_count = inference_count_.load(std::memory_order_relaxed);
  snapshot.execution_count = execution_count_.load(std::memory_order_relaxed);
  snapshot.pending =
      static_cast<uint64_t>(std::max<int64_t>(0, pending_.load(std::memory_order_relaxed)));
  snapshot.load_duration =
      std::chrono::nanoseconds(load_duration_ns_.load(std::memory_order_relaxed));
  snapshot.success = success_.Read();
  snapshot.fail = fail_.Read();
  snapshot.queue = queue_.Read();
  snapshot.compute_input = compute_input_.Read();
  snapshot.compute_infer = compute_infer_.Read();
  snapshot.compute_output = compute_output_.Read();
  for (int i = 0; i < kFailureReasonCount; ++i) {
    snapshot.failures[i] = failures_[i].load(std::memory_order_relaxed);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [size, stat] : batches_) snapshot.batches.push_back(stat);
  for (const auto& [index, stat] : responses_) snapshot.responses.push_back(stat);
  return snapshot;
}

}  // namespace nereid
