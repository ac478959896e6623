#include "nereid/batch.h"

#include <utility>

namespace nereid {

Batch::Batch(std::vector<std::unique_ptr<InferRequest>> requests) : requests_(std::move(requests)) {
  for (const auto& request : requests_) total_batch_size_ += request->batch_size;
}

void Batch::Add(std::unique_ptr<InferRequest> request) {
  total_batch_size_ += request->batch_size;
  requests_.push_back(std::move(request));
}

std::unique_ptr<InferRequest> Batch::Remove(size_t i) {
  std::unique_ptr<InferRequest> request = std::move(requests_[i]);
  requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(i));
  if (request != nullptr) total_batch_size_ -= request->batch_size;
  return request;
}

namespace {

// Answered requests have been counted already; when all are, the clock is not even looked at.
void Stamp(std::vector<std::unique_ptr<InferRequest>>& requests, TimePoint Timeline::*station) {
  TimePoint now;
  for (auto& request : requests) {
    if (request == nullptr || request->answered()) continue;
    if (now == TimePoint{}) now = Clock::now();
    request->timeline.*station = now;
  }
}

}  // namespace

void Batch::MarkComputeStart() { Stamp(requests_, &Timeline::compute_start); }
void Batch::MarkComputeEnd() { Stamp(requests_, &Timeline::compute_end); }

void Batch::MarkExecEnd() {
  Stamp(requests_, &Timeline::exec_end);
  if (observer_ == nullptr) return;
  for (const auto& request : requests_) {
    if (request == nullptr) continue;
    std::exchange(observer_, nullptr)->OnExecuted(request->timeline, total_batch_size_);
    return;
  }
}

}  // namespace nereid
