#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "nereid/request.h"
#include "nereid/response.h"

namespace nereid::testing {

// What a FakeSink saw. Shared, so that a test can look after the request has gone.
class SinkRecord {
 public:
  // Blocks until the request is answered for good.
  void WaitUntilFinal() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return finals_ > 0; });
  }
  int finals() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return finals_;
  }
  std::vector<InferResponse> responses() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return responses_;
  }
  // Status of the only response; INTERNAL when there is not exactly one.
  absl::Status status() const {
    std::lock_guard<std::mutex> lock(mutex_);
    if (responses_.size() != 1) return absl::InternalError("not exactly one response");
    return responses_[0].status;
  }
  void Cancel() { cancelled_ = true; }

 private:
  friend class FakeSink;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<InferResponse> responses_;  // guarded by mutex_
  int finals_ = 0;                        // guarded by mutex_: final Send() plus Finish()
  std::atomic<bool> cancelled_{false};
};

// A ResponseSink that records. `on_final`, when given, runs once after the final answer.
class FakeSink : public ResponseSink {
 public:
  explicit FakeSink(std::shared_ptr<SinkRecord> record, std::function<void()> on_final = {})
      : record_(std::move(record)), on_final_(std::move(on_final)) {}

  absl::StatusOr<Buffer> Allocate(const TensorSpec&, size_t byte_size,
                                  MemoryPlace) noexcept override {
    auto bytes = std::make_shared<std::vector<std::byte>>(byte_size);
    std::byte* data = bytes->data();
    return Buffer(std::move(bytes), data, byte_size);
  }

  void Send(InferResponse response, bool is_final) noexcept override {
    {
      std::lock_guard<std::mutex> lock(record_->mutex_);
      record_->responses_.push_back(std::move(response));
      if (is_final) ++record_->finals_;
    }
    record_->changed_.notify_all();
    if (is_final && on_final_) on_final_();
  }

  void Finish() noexcept override {
    {
      std::lock_guard<std::mutex> lock(record_->mutex_);
      ++record_->finals_;
    }
    record_->changed_.notify_all();
    if (on_final_) on_final_();
  }

  bool IsCancelled() const noexcept override { return record_->cancelled_; }

 private:
  std::shared_ptr<SinkRecord> record_;
  std::function<void()> on_final_;
};

}  // namespace nereid::testing
