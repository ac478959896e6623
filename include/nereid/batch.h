#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "nereid/request.h"

namespace nereid {

// The requests one execution serves. Their batch sizes add up to at most max_batch_size; every one
// has been validated, and is neither cancelled nor expired when Execute() begins.
//
// Each request is answered through request(i).Respond(); what Execute() leaves unanswered is
// answered by the caller with Execute()'s status (INTERNAL if that was OK). A backend that answers
// later, from a thread of its own, takes the request out with Take().
class Batch {
 public:
  Batch() = default;
  explicit Batch(std::vector<std::unique_ptr<InferRequest>> requests);
  Batch(Batch&&) = default;
  Batch& operator=(Batch&&) = default;

  size_t size() const { return requests_.size(); }
  bool empty() const { return requests_.empty(); }
  // Sum of the requests' batch sizes.
  int64_t total_batch_size() const { return total_batch_size_; }
  InferRequest& request(size_t i) { return *requests_[i]; }
  const InferRequest& request(size_t i) const { return *requests_[i]; }
  // Takes request i out for good; those behind it move up.
  std::unique_ptr<InferRequest> Remove(size_t i);
  // Leaves an empty place: do not touch request(i) afterwards.
  std::unique_ptr<InferRequest> Take(size_t i) { return std::move(requests_[i]); }
  bool Has(size_t i) const { return requests_[i] != nullptr; }
  void Add(std::unique_ptr<InferRequest> request);

  // Stations of the execution, stamped on every request that is here and not answered yet. The
  // worker stamps exec_start before and fills whatever the backend did not call.
  void MarkComputeStart();  // inputs are gathered
  void MarkComputeEnd();    // outputs are computed, not yet scattered
  void MarkExecEnd();       // outputs are in their buffers; call before Respond()

  // Who is told, once, when the execution has its outputs. Set by the worker.
  void set_observer(CompletionObserver* observer) { observer_ = observer; }

 private:
  std::vector<std::unique_ptr<InferRequest>> requests_;
  int64_t total_batch_size_ = 0;
  CompletionObserver* observer_ = nullptr;
};

}  // namespace nereid
