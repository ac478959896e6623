#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "nereid/request.h"

namespace nereid {

// Why a request ends without having been executed.
enum class Refusal : uint8_t {
  kClosed,     // the scheduler takes no more
  kQueueFull,  // its priority level holds max_queue_size requests
  kExpired,    // its queue timeout passed
  kCancelled,  // nobody waits for the answer
  kDeadline,   // the transport has given up
};

// The status clients see, with the request-id prefix where the protocol has one.
absl::Status RefusalStatus(Refusal refusal, const InferRequest& request);

// kCancelled or kDeadline when executing the request at `now` would be in vain.
std::optional<Refusal> FindRefusal(const InferRequest& request, TimePoint now);

// A request on its way from the queue to its answer. Collected under a scheduler's lock and
// answered outside it.
struct RefusedRequest {
  std::unique_ptr<InferRequest> request;
  Refusal reason;
};
using RefusedRequests = absl::InlinedVector<RefusedRequest, 2>;

// Answers a request that the scheduler does not take. It has not been queued: closed and full
// queues turn it away before it counts as a request.
void RefuseAtDoor(InferRequest& request, Refusal refusal);

// Answers and empties `refused`.
void AnswerRefused(RefusedRequests& refused);

}  // namespace nereid
