#include "sched/priority_queue.h"

#include <algorithm>
#include <utility>

namespace nereid {
namespace {

// Levels are made when a request names them; clients choose the number, so empty ones go again once
// there are more than these.
constexpr size_t kKeptLevels = 16;

// A queue that stays full is looked through for dead requests this often, not for every refusal.
constexpr std::chrono::milliseconds kFullSweepInterval{1};

TimePoint ExpiryOf(const InferRequest& request, const QueuePolicy& policy, TimePoint now) {
  using std::chrono::microseconds;
  microseconds timeout = policy.default_timeout;
  if (policy.allow_timeout_override && request.timeout > microseconds::zero() &&
      request.timeout < timeout) {
    timeout = request.timeout;
  }
  return timeout == microseconds::zero() ? TimePoint::max() : now + timeout;
}

}  // namespace

uint64_t PriorityQueue::LevelOf(uint64_t priority) const {
  if (options_.priority_levels == 0) return 0;
  if (priority == 0 || priority > options_.priority_levels) return options_.default_priority_level;
  return priority;
}

PriorityQueue::Levels::iterator PriorityQueue::FindLevel(uint64_t number) {
  const auto [level, is_new] = levels_.try_emplace(number);
  if (is_new) {
    const auto policy = options_.level_queue_policies.find(number);
    const bool has_own =
        options_.priority_levels > 0 && policy != options_.level_queue_policies.end();
    level->second.policy = has_own ? &policy->second : &options_.default_queue_policy;
  }
  return level;
}

PriorityQueue::Admission PriorityQueue::Push(std::unique_ptr<InferRequest>& request, TimePoint now,
                                             RefusedRequests& refused) {
  const auto found = FindLevel(LevelOf(request->priority));
  Level& level = found->second;
  if (IsFull(level, now, refused)) return {Outcome::kRefused, {}};

  QueuedRequest queued;
  queued.enqueued = now;
  queued.expiry = ExpiryOf(*request, *level.policy, now);
  queued.due = std::min(queued.expiry, request->deadline);
  queued.request = std::move(request);
  const TimePoint due = queued.due;
  next_due_ = std::min(next_due_, due);
  level.live.PushBack(std::move(queued));
  ++size_;
  const bool is_last = level.delayed.empty() &&
                       std::all_of(std::next(found), levels_.end(),
                                   [](const auto& later) { return later.second.size() == 0; });
  return {is_last ? Outcome::kLast : Outcome::kBefore, due};
}

bool PriorityQueue::IsFull(Level& level, TimePoint now, RefusedRequests& refused) {
  const size_t limit = level.policy->max_queue_size;
  if (limit == 0 || level.size() < limit) return false;
  if (now >= level.next_full_sweep) {
    SweepLevel(level, now, refused);
    level.next_full_sweep = now + kFullSweepInterval;
  }
  return level.size() >= limit;
}

bool PriorityQueue::Settle(Level& level, Fifo& fifo, size_t i, TimePoint now,
                           RefusedRequests& refused) {
  QueuedRequest& queued = fifo[i];
  std::optional<Refusal> reason = FindRefusal(*queued.request, now);
  if (!reason && now < queued.expiry) return true;
  QueuedRequest taken = fifo.Remove(i);
  if (!reason && level.policy->timeout_action == QueuePolicy::TimeoutAction::kDelay) {
    taken.expiry = TimePoint::max();
    taken.due = taken.request->deadline;
    level.delayed.PushBack(std::move(taken));
  } else {
    refused.push_back({std::move(taken.request), reason.value_or(Refusal::kExpired)});
    --size_;
  }
  return false;
}

void PriorityQueue::TakeFront(size_t count, Batch& batch) {
  for (auto level = levels_.begin(); count > 0 && level != levels_.end();) {
    for (Fifo* fifo : {&level->second.live, &level->second.delayed}) {
      for (; count > 0 && !fifo->empty(); --count, --size_) {
        batch.Add(fifo->PopFront().request);
      }
    }
    const bool drop = level->second.size() == 0 && levels_.size() > kKeptLevels;
    level = drop ? levels_.erase(level) : std::next(level);
  }
  if (size_ == 0) next_due_ = TimePoint::max();
}

void PriorityQueue::SweepLevel(Level& level, TimePoint now, RefusedRequests& refused) {
  const auto note_due = [this](const QueuedRequest& queued) {
    next_due_ = std::min(next_due_, queued.due);
    return true;
  };
  WalkFifo(level, level.live, now, refused, note_due);
  WalkFifo(level, level.delayed, now, refused, note_due);
}

void PriorityQueue::Sweep(TimePoint now, RefusedRequests& refused) {
  next_due_ = TimePoint::max();
  for (auto& [number, level] : levels_) SweepLevel(level, now, refused);
}

void PriorityQueue::RefuseAll(Refusal reason, RefusedRequests& refused) {
  for (auto& [number, level] : levels_) {
    for (Fifo* fifo : {&level.live, &level.delayed}) {
      while (!fifo->empty()) refused.push_back({fifo->PopFront().request, reason});
    }
  }
  levels_.clear();
  size_ = 0;
  next_due_ = TimePoint::max();
}

}  // namespace nereid
