#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "absl/container/inlined_vector.h"
#include "nereid/request.h"

namespace nereid {

// Sends the answers of several requests in the order in which the requests took their places,
// whatever the order in which they are executed. All answers of one request stay together. What
// comes too early is held; the thread that ends the first request in line delivers what was held
// behind it. No lock is held while a sink is called. Any thread.
class OrderedDelivery : public std::enable_shared_from_this<OrderedDelivery> {
 public:
  // Gives `request` the last place in line. From here on its sink is reached through this object,
  // which keeps the request's model version alive until its answers are delivered.
  void TakePlace(InferRequest& request);

 private:
  class Sink;
  struct Answer {
    InferResponse response;
    bool is_final = true;
    bool has_response = true;  // false: Finish()
  };
  // One request in line. Members but the first three are guarded by mutex_.
  struct Place {
    std::unique_ptr<ResponseSink> sink;  // called by whoever set is_in_use
    std::shared_ptr<const ModelConfig> config;
    std::shared_ptr<const void> servable_handle;
    absl::InlinedVector<Answer, 1> held;
    bool is_in_use = false;  // its sink is being called
  };

  void Add(Place& place, Answer answer);
  // Sends what may be sent, unless another thread is at it.
  void Deliver();
  void BeginUse(Place& place);
  void EndUse(Place& place);

  std::mutex mutex_;
  std::condition_variable use_ended_;
  // Guarded by mutex_.
  std::deque<std::shared_ptr<Place>> line_;
  bool is_delivering_ = false;
};

}  // namespace nereid
