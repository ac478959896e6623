#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "nereid/request.h"

namespace nereid {

// Why a request failed, as the `reason` label of nv_inference_request_failure says it.
enum class FailureReason : uint8_t { kRejected, kCanceled, kBackend, kOther };
inline constexpr int kFailureReasonCount = 4;
// "REJECTED", "CANCELED", "BACKEND", "OTHER".
std::string_view FailureReasonName(FailureReason reason);

// Everything counted about one model version, in one place: the statistics extension and the
// metrics both read it, so they cannot disagree. Writers are lock-free; a snapshot is not atomic
// across fields.
class ModelStatistics {
 public:
  struct Duration {
    uint64_t count = 0;
    uint64_t ns = 0;
  };
  struct BatchStat {
    uint64_t batch_size = 0;
    Duration compute_input, compute_infer, compute_output;
  };
  struct ResponseStat {
    uint64_t index = 0;
    Duration compute_infer, compute_output, success, fail, empty_response, cancel;
  };
  struct Snapshot {
    uint64_t last_inference_ms = 0;  // milliseconds since the epoch; 0: never
    uint64_t inference_count = 0;    // successful requests times their batch size
    uint64_t execution_count = 0;    // batches executed
    uint64_t pending = 0;            // waiting in the scheduler now
    std::chrono::nanoseconds load_duration{0};
    Duration success, fail, queue, compute_input, compute_infer, compute_output;
    Duration cache_hit, cache_miss;
    std::array<uint64_t, kFailureReasonCount> failures{};
    std::vector<BatchStat> batches;       // by batch size, ascending
    std::vector<ResponseStat> responses;  // by response index, ascending; decoupled models only
  };

  // Receives single durations, for histograms and summaries; set before the first request.
  class DurationListener {
   public:
    virtual ~DurationListener() = default;
    virtual void OnSuccess(const Timeline& timeline, TimePoint end) noexcept = 0;
    virtual void OnFirstResponse(std::chrono::nanoseconds since_received) noexcept = 0;
  };

  void SetListener(std::unique_ptr<DurationListener> listener) { listener_ = std::move(listener); }
  bool has_listener() const { return listener_ != nullptr; }

  void SetLoadDuration(std::chrono::nanoseconds duration) { load_duration_ns_ = duration.count(); }

  // One request has ended well at `end`.
  void RecordSuccess(const Timeline& timeline, TimePoint end, int64_t batch_size) noexcept;
  void RecordFailure(const Timeline& timeline, TimePoint end, FailureReason reason) noexcept;
  // One execution of `batch_size` rows, with the timeline of any of its requests.
  void RecordExecution(const Timeline& timeline, int64_t batch_size) noexcept;
  // Response `index` of a decoupled request.
  void RecordResponse(int64_t index, const Timeline& timeline, TimePoint end, bool ok, bool empty,
                      bool cancelled) noexcept;
  void RecordFirstResponse(std::chrono::nanoseconds since_received) noexcept;
  void AddPending(int64_t delta) noexcept { pending_.fetch_add(delta, std::memory_order_relaxed); }

  Snapshot Read() const;

 private:
  struct AtomicDuration {
    std::atomic<uint64_t> count{0};
    std::atomic<uint64_t> ns{0};
    void Add(std::chrono::nanoseconds duration) noexcept;
    Duration Read() const;
  };

  uint64_t LastInferenceMs() const;

  std::unique_ptr<DurationListener> listener_;
  // Ticks of the steady clock: what they are on the calendar is worked out when somebody asks.
  std::atomic<Clock::rep> last_received_{0};
  std::atomic<uint64_t> inference_count_{0};
  std::atomic<uint64_t> execution_count_{0};
  std::atomic<int64_t> pending_{0};
  std::atomic<int64_t> load_duration_ns_{0};
  AtomicDuration success_, fail_, queue_, compute_input_, compute_infer_, compute_output_;
  std::array<std::atomic<uint64_t>, kFailureReasonCount> failures_{};
  mutable std::mutex mutex_;
  std::map<uint64_t, BatchStat> batches_;       // guarded by mutex_
  std::map<uint64_t, ResponseStat> responses_;  // guarded by mutex_
};

}  // namespace nereid
