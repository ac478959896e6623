#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "nereid/batch.h"
#include "nereid/request.h"

namespace nereid {

// Decides which requests execute together, and when. The idle instance pulls. Any thread.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // Takes the request, or refuses it through its own sink (UNAVAILABLE: queue full, closed;
  // CANCELLED). The caller has stamped timeline.received; this stamps timeline.queued of what it
  // does not turn away.
  virtual void Enqueue(std::unique_ptr<InferRequest> request) = 0;

  // Blocks the calling instance `slot` until it has a batch to execute, or until `deadline`. No
  // value: the deadline passed, or the scheduler is closed and empty (see closed()). Requests in
  // the batch are neither cancelled nor expired at that moment.
  virtual std::optional<Batch> NextBatch(int slot, TimePoint deadline) = 0;

  // Refuses requests from now on. What is queued is still handed out; once empty, every NextBatch
  // returns at once.
  virtual void Close() = 0;

  // Closed and nothing left to hand out.
  virtual bool Drained() const = 0;

  // Requests waiting now.
  virtual int64_t QueueLength() const = 0;
};

}  // namespace nereid
