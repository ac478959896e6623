#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "config/batching_options.h"
#include "nereid/request.h"

namespace nereid {

// The part of a configuration that decides how large a batch gets and how long it is waited for.
struct BatchPolicy {
  int64_t max_batch_size = 1;
  std::vector<int64_t> preferred_sizes = {1};  // ascending, not empty
  std::chrono::nanoseconds max_queue_delay{0};

  // A model that does not batch gets batches of one.
  static BatchPolicy From(const BatchingOptions& options);
};

// What an idle instance does next.
struct BatchDecision {
  size_t take = 0;  // requests from the front of the queue; 0: wait
  // When to decide again if nothing arrives. Only for take == 0.
  TimePoint wait_until = TimePoint::max();
};

// Forms one batch: the queue's requests are offered in the order of service, then Decide() says how
// many of them leave. A plain value: the decision depends on nothing but the policy, what was
// offered and the time.
//
//  - A total that is a preferred size leaves at once: the largest one reached.
//  - A batch that cannot grow leaves at once: the next request does not fit or may not share, or
//  the
//    largest preferred size is reached or crossed. Crossing it without having met a preferred size
//    cuts before the crossing.
//  - Without a delay everything offered leaves. With one, a total that is not preferred waits until
//    its oldest request has waited that long; then all of it leaves, without a cut.
//  - Requests are neither split nor reordered: the first that does not fit closes the batch.
class BatchFormer {
 public:
  struct Candidate {
    int64_t rows = 1;  // a request without rows counts as one
    TimePoint enqueued;
    TimePoint due = TimePoint::max();  // when waiting longer would make it expire
    bool may_share = true;             // with the first request offered
  };

  // `policy` must outlive the former.
  explicit BatchFormer(const BatchPolicy* policy) : policy_(policy) {}

  // False: the batch is closed, `candidate` is not part of it and no later one can be.
  bool Offer(const Candidate& candidate);

  // `is_closing`: nothing will arrive any more, so nothing is waited for.
  BatchDecision Decide(TimePoint now, bool is_closing = false) const;

  int64_t total_rows() const { return total_rows_; }

 private:
  const BatchPolicy* policy_;
  size_t count_ = 0;  // requests in the batch
  int64_t total_rows_ = 0;
  size_t cut_count_ = 0;  // requests up to the best cut; 0: none
  bool is_closed_ = false;
  TimePoint oldest_ = TimePoint::max();
  TimePoint next_due_ = TimePoint::max();
};

}  // namespace nereid
