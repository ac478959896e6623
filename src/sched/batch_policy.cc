#include "sched/batch_policy.h"

#include <algorithm>

namespace nereid {

BatchPolicy BatchPolicy::From(const BatchingOptions& options) {
  BatchPolicy policy;
  policy.max_batch_size = std::max<int64_t>(options.max_batch_size, 1);
  policy.preferred_sizes = options.preferred_batch_sizes;
  if (policy.preferred_sizes.empty()) policy.preferred_sizes = {policy.max_batch_size};
  policy.max_queue_delay = options.max_queue_delay;
  return policy;
}

bool BatchFormer::Offer(const Candidate& candidate) {
  if (is_closed_) return false;
  const int64_t rows = std::max<int64_t>(candidate.rows, 1);
  const std::vector<int64_t>& preferred = policy_->preferred_sizes;
  if (count_ > 0) {
    if (total_rows_ + rows > preferred.back() && cut_count_ == 0) cut_count_ = count_;
    if (total_rows_ + rows > policy_->max_batch_size || !candidate.may_share) {
      is_closed_ = true;
      return false;
    }
  }
  ++count_;
  total_rows_ += rows;
  oldest_ = std::min(oldest_, candidate.enqueued);
  next_due_ = std::min(next_due_, candidate.due);
  if (std::binary_search(preferred.begin(), preferred.end(), total_rows_)) cut_count_ = count_;
  return true;
}

BatchDecision BatchFormer::Decide(TimePoint now, bool is_closing) const {
  if (count_ == 0) return {};
  const std::chrono::nanoseconds delay = policy_->max_queue_delay;
  const bool waits = delay > std::chrono::nanoseconds::zero();
  const bool delay_is_over = waits && now - oldest_ >= delay;
  if (cut_count_ > 0 && !delay_is_over) return {.take = cut_count_};
  const bool is_full = is_closed_ || total_rows_ >= policy_->preferred_sizes.back();
  if (is_full || delay_is_over || !waits || is_closing) return {.take = count_};
  return {.take = 0, .wait_until = std::min(oldest_ + delay, next_due_)};
}

}  // namespace nereid
