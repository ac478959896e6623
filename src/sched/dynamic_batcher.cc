#include "sched/dynamic_batcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace nereid {
namespace {

// Requests that wait for company are looked at this often: some may have been cancelled, which
// calls nobody.
constexpr std::chrono::milliseconds kCancellationInterval{500};

// An alarm looks through the whole queue, and not more often than this.
constexpr std::chrono::milliseconds kSweepInterval{1};

}  // namespace

DynamicBatcher::DynamicBatcher(const ModelConfig& config, const BatchingOptions& options,
                               ModelStatistics* statistics, int slots, const TimeSource& clock,
                               AlarmClock* alarm_clock)
    : policy_(BatchPolicy::From(options)),
      compatibility_(config),
      ordered_delivery_(options.preserve_ordering ? std::make_shared<OrderedDelivery>() : nullptr),
      statistics_(statistics),
      clock_(clock),
      gate_(std::make_shared<WorkerGate>(slots)),
      queue_(options),
      watch_{.former = BatchFormer(&policy_), .wait_until = {}},
      sweep_alarm_(alarm_clock == nullptr ? nullptr
                                          : std::make_unique<AlarmClock::Alarm>(
                                                alarm_clock, [this] { SweepQueue(); })) {}

DynamicBatcher::~DynamicBatcher() {
  if (sweep_alarm_ != nullptr) sweep_alarm_->Silence();
  RefusedRequests refused;
  queue_.RefuseAll(Refusal::kClosed, refused);
  Answer(refused);
}

void DynamicBatcher::Enqueue(std::unique_ptr<InferRequest> request) {
  const TimePoint now = clock_.Now();
  request->timeline.queued = now;
  if (ordered_delivery_ != nullptr) ordered_delivery_->TakePlace(*request);

  std::optional<Refusal> refusal = FindRefusal(*request, now);
  RefusedRequests refused;
  bool wants_worker = false;
  TimePoint next_sweep = TimePoint::max();
  if (!refusal) {
    WorkerGate::Lock lock = gate_->Acquire();
    refusal = Push(request, now, refused, wants_worker);
    next_sweep = NextSweep(now);
  }
  if (sweep_alarm_ != nullptr) sweep_alarm_->SetNoLaterThan(next_sweep);
  if (wants_worker) DeferredWakeups::WakeLater(gate_);
  if (!refused.empty()) Answer(refused);
  if (refusal) RefuseAtDoor(*request, *refusal);
}

std::optional<Refusal> DynamicBatcher::Push(std::unique_ptr<InferRequest>& request, TimePoint now,
                                            RefusedRequests& refused, bool& wants_worker) {
  if (is_closed_) return Refusal::kClosed;
  if (now >= queue_.next_due()) {
    queue_.Sweep(now, refused);
    watch_.is_valid = false;
  }
  const InferRequest& arrival = *request;
  const PriorityQueue::Admission admission = queue_.Push(request, now, refused);
  if (admission.outcome == PriorityQueue::Outcome::kRefused || !refused.empty()) {
    watch_.is_valid = false;  // a full level was swept
  }
  if (admission.outcome == PriorityQueue::Outcome::kRefused) return Refusal::kQueueFull;
  statistics_->AddPending(1);
  if (MattersToWatcher(arrival, admission, now)) {
    watch_.is_valid = false;
    wants_worker = gate_->WantWorker();
  }
  return std::nullopt;
}

bool DynamicBatcher::MattersToWatcher(const InferRequest& request,
                                      const PriorityQueue::Admission& admission, TimePoint now) {
  if (!watch_.is_valid || admission.outcome == PriorityQueue::Outcome::kBefore) return true;
  Offer(watch_, request, now, admission.due);
  const BatchDecision decision = watch_.former.Decide(now);
  return decision.take > 0 || decision.wait_until < watch_.wait_until;
}

bool DynamicBatcher::Offer(Watch& watch, const InferRequest& request, TimePoint enqueued,
                           TimePoint due) {
  if (watch.first == nullptr) watch.first = &request;
  return watch.former.Offer({.rows = request.batch_size,
                             .enqueued = enqueued,
                             .due = due,
                             .may_share = compatibility_.always() || &request == watch.first ||
                                          compatibility_.MayShare(*watch.first, request)});
}

std::optional<Batch> DynamicBatcher::NextBatch(int slot, TimePoint deadline) {
  for (;;) {
    RefusedRequests refused;
    Look look;
    {
      WorkerGate::Lock lock = gate_->Acquire();
      look = LookOrSleep(lock, slot, deadline, refused);
    }
    if (look.wants_worker) DeferredWakeups::WakeLater(gate_);
    if (sweep_alarm_ != nullptr) sweep_alarm_->SetNoLaterThan(look.next_sweep);
    if (!refused.empty()) Answer(refused);
    if (!look.batch.empty()) {
      statistics_->AddPending(-static_cast<int64_t>(look.batch.size()));
      return std::move(look.batch);
    }
    if (look.is_over) return std::nullopt;
  }
}

DynamicBatcher::Look DynamicBatcher::LookOrSleep(WorkerGate::Lock& lock, int slot,
                                                 TimePoint deadline, RefusedRequests& refused) {
  for (;;) {
    const TimePoint now = clock_.Now();
    gate_->LookedAtWork();
    Look look;
    Watch watch{.former = BatchFormer(&policy_), .wait_until = {}};
    const BatchDecision decision = Form(now, watch, refused);
    watch.wait_until = decision.wait_until;
    if (decision.take > 0) queue_.TakeFront(decision.take, look.batch);
    look.is_over = decision.take == 0 && (is_closed_ || now >= deadline);
    const bool leaves = decision.take > 0 || look.is_over;
    if (!leaves && refused.empty()) {
      SleepUntilWorthLooking(lock, slot, now, deadline, watch);
      continue;
    }
    if (decision.take > 0 || !refused.empty()) watch_.is_valid = false;
    // Somebody must watch over what stays behind.
    look.wants_worker = leaves && !queue_.empty() && !watch_.is_valid && gate_->WantWorker();
    if (leaves) look.next_sweep = NextSweep(now);
    return look;
  }
}

BatchDecision DynamicBatcher::Form(TimePoint now, Watch& watch, RefusedRequests& refused) {
  queue_.Walk(now, refused, [&](const QueuedRequest& queued) {
    return Offer(watch, *queued.request, queued.enqueued, queued.due);
  });
  return watch.former.Decide(now, is_closed_);
}

void DynamicBatcher::SleepUntilWorthLooking(WorkerGate::Lock& lock, int slot, TimePoint now,
                                            TimePoint deadline, const Watch& watch) {
  const bool watches = watch.first != nullptr && !watch_.is_valid;
  TimePoint until = deadline;
  if (watches) {
    watch_ = watch;
    watch_.is_valid = true;
    until = std::min({until, watch.wait_until, now + kCancellationInterval});
  }
  gate_->Sleep(lock, slot, SleepDuration(now, until), watches);
  if (watches) watch_.is_valid = false;
}

void DynamicBatcher::Close() {
  WorkerGate::Lock lock = gate_->Acquire();
  is_closed_ = true;
  gate_->CallAll();
}

bool DynamicBatcher::Drained() const {
  WorkerGate::Lock lock = gate_->Acquire();
  return is_closed_ && queue_.empty();
}

int64_t DynamicBatcher::QueueLength() const {
  WorkerGate::Lock lock = gate_->Acquire();
  return static_cast<int64_t>(queue_.size());
}

TimePoint DynamicBatcher::NextSweep(TimePoint now) const {
  if (queue_.empty()) return TimePoint::max();
  return std::min(queue_.next_due(), now + kCancellationInterval);
}

void DynamicBatcher::SweepQueue() {
  const TimePoint now = clock_.Now();
  RefusedRequests refused;
  TimePoint next_sweep;
  {
    WorkerGate::Lock lock = gate_->Acquire();
    // An instance that watches sees to it itself, and sets the alarm when it leaves.
    if (watch_.is_valid) return;
    queue_.Sweep(now, refused);
    next_sweep = std::max(NextSweep(now), now + kSweepInterval);
  }
  if (!refused.empty()) Answer(refused);
  sweep_alarm_->SetNoLaterThan(next_sweep);
}

void DynamicBatcher::Answer(RefusedRequests& refused) {
  statistics_->AddPending(-static_cast<int64_t>(refused.size()));
  AnswerRefused(refused);
}

}  // namespace nereid
