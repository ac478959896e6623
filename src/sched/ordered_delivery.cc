#include "sched/ordered_delivery.h"

#include <utility>

namespace nereid {

// What a request in line has for its sink.
class OrderedDelivery::Sink : public ResponseSink {
 public:
  Sink(std::shared_ptr<OrderedDelivery> delivery, std::shared_ptr<Place> place)
      : delivery_(std::move(delivery)), place_(std::move(place)) {}

  absl::StatusOr<Buffer> Allocate(const TensorSpec& spec, size_t byte_size,
                                  MemoryPlace preferred) noexcept override {
    // Earlier answers of the same request may be on their way on another thread.
    delivery_->BeginUse(*place_);
    absl::StatusOr<Buffer> buffer = place_->sink->Allocate(spec, byte_size, preferred);
    delivery_->EndUse(*place_);
    return buffer;
  }
  void Send(InferResponse response, bool is_final) noexcept override {
    delivery_->Add(*place_, {.response = std::move(response), .is_final = is_final});
  }
  void Finish() noexcept override {
    delivery_->Add(*place_, {.response = {}, .is_final = true, .has_response = false});
  }
  bool IsCancelled() const noexcept override { return place_->sink->IsCancelled(); }

 private:
  const std::shared_ptr<OrderedDelivery> delivery_;
  const std::shared_ptr<Place> place_;
};

void OrderedDelivery::TakePlace(InferRequest& request) {
  auto place = std::make_shared<Place>();
  place->config = request.config;
  place->servable_handle = request.servable_handle;
  request.WrapSink([&](std::unique_ptr<ResponseSink> sink) -> std::unique_ptr<ResponseSink> {
    place->sink = std::move(sink);
    return std::make_unique<Sink>(shared_from_this(), place);
  });
  std::lock_guard<std::mutex> lock(mutex_);
  line_.push_back(std::move(place));
}

void OrderedDelivery::Add(Place& place, Answer answer) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    place.held.push_back(std::move(answer));
  }
  Deliver();
}

void OrderedDelivery::Deliver() {
  // The last delivery may release the model version, and with it the owner of this object.
  const std::shared_ptr<OrderedDelivery> self = shared_from_this();
  std::unique_lock<std::mutex> lock(mutex_);
  if (is_delivering_) return;
  is_delivering_ = true;
  while (!line_.empty() && !line_.front()->held.empty() && !line_.front()->is_in_use) {
    const std::shared_ptr<Place> place = line_.front();
    absl::InlinedVector<Answer, 1> answers = std::move(place->held);
    place->held.clear();
    place->is_in_use = true;
    const bool is_over = answers.back().is_final;
    lock.unlock();
    for (Answer& answer : answers) {
      if (answer.has_response) {
        place->sink->Send(std::move(answer.response), answer.is_final);
      } else {
        place->sink->Finish();
      }
    }
    if (is_over) {
      place->sink.reset();
      place->servable_handle.reset();
    }
    lock.lock();
    place->is_in_use = false;
    if (is_over) line_.pop_front();
    use_ended_.notify_all();
  }
  is_delivering_ = false;
}

void OrderedDelivery::BeginUse(Place& place) {
  std::unique_lock<std::mutex> lock(mutex_);
  use_ended_.wait(lock, [&] { return !place.is_in_use; });
  place.is_in_use = true;
}

void OrderedDelivery::EndUse(Place& place) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    place.is_in_use = false;
  }
  use_ended_.notify_all();
  Deliver();
}

}  // namespace nereid
