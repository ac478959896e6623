#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "config/batching_options.h"
#include "nereid/batch.h"
#include "nereid/request.h"
#include "sched/refusal.h"
#include "sched/ring_queue.h"

namespace nereid {

// A request that waits.
struct QueuedRequest {
  std::unique_ptr<InferRequest> request;
  TimePoint enqueued;
  TimePoint expiry;  // by the queue policy
  TimePoint due;     // the earlier of `expiry` and the transport's deadline
};

// Waiting requests in order of service: the most urgent level first (1, 2, …; the only level is 0
// when there are none), within a level FIFO, and behind a level's live requests those that its
// policy delayed. Expiry and cancellation are noticed when a walk or a sweep passes a request.
// Not thread-safe: its owner's lock guards it.
class PriorityQueue {
 public:
  enum class Outcome : uint8_t {
    kRefused,  // the level is full; the request stays with the caller
    kLast,     // queued behind every other request
    kBefore,   // queued before at least one other request
  };
  struct Admission {
    Outcome outcome;
    TimePoint due;  // when the request expires; unless kRefused
  };

  explicit PriorityQueue(const BatchingOptions& options) : options_(options) {}

  // Takes `request` unless its level is full. A full level is swept first, though not at every
  // call.
  Admission Push(std::unique_ptr<InferRequest>& request, TimePoint now, RefusedRequests& refused);

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // Shows the requests in order of service to `visit` until that returns false. A request that is
  // cancelled or expired when it is reached is not shown: it moves to `refused`, or behind its
  // level.
  template <typename Visit>
  void Walk(TimePoint now, RefusedRequests& refused, Visit&& visit) {
    for (auto& [number, level] : levels_) {
      if (!WalkFifo(level, level.live, now, refused, visit)) return;
      if (!WalkFifo(level, level.delayed, now, refused, visit)) return;
    }
  }

  // Moves the first `count` requests into `batch`.
  void TakeFront(size_t count, Batch& batch);

  // No request expires before this; the true time may be later.
  TimePoint next_due() const { return next_due_; }
  // Passes every request.
  void Sweep(TimePoint now, RefusedRequests& refused);
  // Empties the queue.
  void RefuseAll(Refusal reason, RefusedRequests& refused);

 private:
  using Fifo = RingQueue<QueuedRequest>;
  struct Level {
    const QueuePolicy* policy = nullptr;
    Fifo live;
    Fifo delayed;
    TimePoint next_full_sweep;  // not before this is a full level swept again
    size_t size() const { return live.size() + delayed.size(); }
  };
  using Levels = std::map<uint64_t, Level>;

  uint64_t LevelOf(uint64_t priority) const;
  Levels::iterator FindLevel(uint64_t number);
  bool IsFull(Level& level, TimePoint now, RefusedRequests& refused);
  void SweepLevel(Level& level, TimePoint now, RefusedRequests& refused);
  // True when the request at `i` stays where it is.
  bool Settle(Level& level, Fifo& fifo, size_t i, TimePoint now, RefusedRequests& refused);

  template <typename Visit>
  bool WalkFifo(Level& level, Fifo& fifo, TimePoint now, RefusedRequests& refused, Visit& visit) {
    for (size_t i = 0; i < fifo.size();) {
      if (!Settle(level, fifo, i, now, refused)) continue;
      if (!visit(fifo[i])) return false;
      ++i;
    }
    return true;
  }

  const BatchingOptions options_;
  Levels levels_;
  size_t size_ = 0;
  TimePoint next_due_ = TimePoint::max();
};

}  // namespace nereid
