#pragma once

#include <atomic>
#include <memory>

#include "common/clock.h"
#include "infer/model_statistics.h"
#include "sched/ring_queue.h"
#include "sched/scheduler.h"
#include "sched/worker_gate.h"

namespace nereid {

// Every request is a batch of its own, in order of arrival; the next idle instance takes it. Used
// by models that ask for no batching: neither priorities nor queue policies apply.
class DirectScheduler : public Scheduler {
 public:
  // `statistics` and `clock` outlive the scheduler. NextBatch() is called with slots in [0, slots).
  DirectScheduler(ModelStatistics* statistics, int slots, const TimeSource& clock);
  ~DirectScheduler() override;

  void Enqueue(std::unique_ptr<InferRequest> request) override;
  std::optional<Batch> NextBatch(int slot, TimePoint deadline) override;
  void Close() override;
  bool Drained() const override;
  int64_t QueueLength() const override;

 private:
  using Queue = RingQueue<std::unique_ptr<InferRequest>>;

  // nullptr: the deadline passed, or closed and empty.
  std::unique_ptr<InferRequest> Pop(int slot, TimePoint deadline);
  std::unique_ptr<InferRequest> PopStash();

  ModelStatistics* const statistics_;
  const TimeSource& clock_;
  const bool has_one_slot_;
  const std::shared_ptr<WorkerGate> gate_;
  // Guarded by the gate's lock.
  Queue queue_;
  bool is_closed_ = false;
  // A single instance takes all that waits under one lock and serves it from here. Only its thread
  // touches the stash; the count is for the others.
  Queue stash_;
  std::atomic<int64_t> stash_size_{0};
};

}  // namespace nereid
