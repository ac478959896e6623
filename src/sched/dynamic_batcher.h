#pragma once

#include <memory>

#include "common/clock.h"
#include "config/batching_options.h"
#include "infer/model_statistics.h"
#include "sched/alarm_clock.h"
#include "sched/batch_compatibility.h"
#include "sched/batch_policy.h"
#include "sched/ordered_delivery.h"
#include "sched/priority_queue.h"
#include "sched/scheduler.h"
#include "sched/worker_gate.h"

namespace nereid {

// Joins requests into batches: queue policies and priorities decide who is next (PriorityQueue),
// the batch policy how many leave together and when (BatchFormer), the model's inputs who may share
// a batch (BatchCompatibility).
//
// An idle instance that finds too little waits for more. One of those that wait watches the clock,
// and whoever brings a request looks only at what that request changes: the watcher is woken when
// the batch can leave, not at every arrival.
//
// While every instance executes, an alarm answers those that wait in vain: expired ones when they
// expire, cancelled ones soon after.
class DynamicBatcher : public Scheduler {
 public:
  // `config`, `statistics` and `clock` outlive the scheduler. NextBatch() is called with slots in
  // [0, slots). `alarm_clock` goes with the real clock and outlives the scheduler; without it the
  // cancelled and the expired are answered when an instance or an arrival finds them.
  DynamicBatcher(const ModelConfig& config, const BatchingOptions& options,
                 ModelStatistics* statistics, int slots, const TimeSource& clock,
                 AlarmClock* alarm_clock = nullptr);
  ~DynamicBatcher() override;

  void Enqueue(std::unique_ptr<InferRequest> request) override;
  std::optional<Batch> NextBatch(int slot, TimePoint deadline) override;
  void Close() override;
  bool Drained() const override;
  int64_t QueueLength() const override;

 private:
  // The batch that the watching instance waits for: what is queued, all of it offered to `former`.
  struct Watch {
    bool is_valid = false;  // false: nobody watches, or the queue changed other than at its end
    BatchFormer former;
    const InferRequest* first = nullptr;  // of the batch
    TimePoint wait_until;
  };
  // What one look at the queue came to.
  struct Look {
    Batch batch;           // empty: none is due
    bool is_over = false;  // the caller gets nothing any more
    bool wants_worker = false;
    TimePoint next_sweep = TimePoint::max();
  };

  // Methods below are called with the gate's lock held.
  std::optional<Refusal> Push(std::unique_ptr<InferRequest>& request, TimePoint now,
                              RefusedRequests& refused, bool& wants_worker);
  // True when the watcher, or anybody if there is none, must look at the queue again.
  bool MattersToWatcher(const InferRequest& request, const PriorityQueue::Admission& admission,
                        TimePoint now);
  // Looks until there is a batch, somebody to refuse, or nothing to wait for.
  Look LookOrSleep(WorkerGate::Lock& lock, int slot, TimePoint deadline, RefusedRequests& refused);
  // Offers the queue to a new watch, and returns what that says.
  BatchDecision Form(TimePoint now, Watch& watch, RefusedRequests& refused);
  void SleepUntilWorthLooking(WorkerGate::Lock& lock, int slot, TimePoint now, TimePoint deadline,
                              const Watch& watch);
  bool Offer(Watch& watch, const InferRequest& request, TimePoint enqueued, TimePoint due);

  // When waiting requests have to be looked at if no instance does.
  TimePoint NextSweep(TimePoint now) const;

  // Outside the lock.
  void Answer(RefusedRequests& refused);
  void SweepQueue();

  const BatchPolicy policy_;
  const BatchCompatibility compatibility_;
  const std::shared_ptr<OrderedDelivery> ordered_delivery_;  // nullptr: responses leave when ready
  ModelStatistics* const statistics_;
  const TimeSource& clock_;
  const std::shared_ptr<WorkerGate> gate_;
  // Guarded by the gate's lock.
  PriorityQueue queue_;
  Watch watch_;
  bool is_closed_ = false;
  std::unique_ptr<AlarmClock::Alarm> sweep_alarm_;  // constant; nullptr: without alarm clock
};

}  // namespace nereid
