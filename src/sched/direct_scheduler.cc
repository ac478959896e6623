#include "sched/direct_scheduler.h"

#include <utility>

#include "sched/refusal.h"

namespace nereid {
namespace {

void Refuse(InferRequest& request, Refusal reason) { request.Fail(RefusalStatus(reason, request)); }

}  // namespace

DirectScheduler::DirectScheduler(ModelStatistics* statistics, int slots, const TimeSource& clock)
    : statistics_(statistics),
      clock_(clock),
      has_one_slot_(slots <= 1),
      gate_(std::make_shared<WorkerGate>(slots)) {}

DirectScheduler::~DirectScheduler() {
  for (Queue* queue : {&stash_, &queue_}) {
    while (!queue->empty()) {
      statistics_->AddPending(-1);
      Refuse(*queue->PopFront(), Refusal::kClosed);
    }
  }
}

void DirectScheduler::Enqueue(std::unique_ptr<InferRequest> request) {
  const TimePoint now = clock_.Now();
  request->timeline.queued = now;
  if (const auto refusal = FindRefusal(*request, now)) return RefuseAtDoor(*request, *refusal);

  bool is_taken = false;
  bool wants_worker = false;
  {
    WorkerGate::Lock lock = gate_->Acquire();
    if (!is_closed_) {
      is_taken = true;
      queue_.PushBack(std::move(request));
      statistics_->AddPending(1);
      wants_worker = gate_->WantWorker();
    }
  }
  if (!is_taken) return RefuseAtDoor(*request, Refusal::kClosed);
  if (wants_worker) DeferredWakeups::WakeLater(gate_);
}

std::optional<Batch> DirectScheduler::NextBatch(int slot, TimePoint deadline) {
  while (std::unique_ptr<InferRequest> request = Pop(slot, deadline)) {
    statistics_->AddPending(-1);
    // The clock is read only for requests that can be late.
    const bool has_deadline = request->deadline != TimePoint::max();
    if (const auto refusal = FindRefusal(*request, has_deadline ? clock_.Now() : TimePoint())) {
      Refuse(*request, *refusal);
      continue;
    }
    Batch batch;
    batch.Add(std::move(request));
    return batch;
  }
  return std::nullopt;
}

std::unique_ptr<InferRequest> DirectScheduler::Pop(int slot, TimePoint deadline) {
  if (has_one_slot_ && !stash_.empty()) return PopStash();
  std::unique_ptr<InferRequest> request;
  bool wants_worker = false;
  {
    WorkerGate::Lock lock = gate_->Acquire();
    while (queue_.empty()) {
      gate_->LookedAtWork();
      if (is_closed_) return nullptr;
      const TimePoint now = clock_.Now();
      if (now >= deadline) return nullptr;
      gate_->Sleep(lock, slot, SleepDuration(now, deadline), /*is_called_first=*/false);
    }
    gate_->LookedAtWork();
    if (has_one_slot_) {
      std::swap(queue_, stash_);
      stash_size_.store(static_cast<int64_t>(stash_.size()), std::memory_order_relaxed);
    } else {
      request = queue_.PopFront();
      wants_worker = !queue_.empty() && gate_->WantWorker();
    }
  }
  if (has_one_slot_) return PopStash();
  if (wants_worker) DeferredWakeups::WakeLater(gate_);
  return request;
}

std::unique_ptr<InferRequest> DirectScheduler::PopStash() {
  std::unique_ptr<InferRequest> request = stash_.PopFront();
  stash_size_.store(static_cast<int64_t>(stash_.size()), std::memory_order_relaxed);
  return request;
}

void DirectScheduler::Close() {
  WorkerGate::Lock lock = gate_->Acquire();
  is_closed_ = true;
  gate_->CallAll();
}

bool DirectScheduler::Drained() const {
  WorkerGate::Lock lock = gate_->Acquire();
  return is_closed_ && queue_.empty() && stash_size_.load(std::memory_order_relaxed) == 0;
}

int64_t DirectScheduler::QueueLength() const {
  WorkerGate::Lock lock = gate_->Acquire();
  return static_cast<int64_t>(queue_.size()) + stash_size_.load(std::memory_order_relaxed);
}

}  // namespace nereid
