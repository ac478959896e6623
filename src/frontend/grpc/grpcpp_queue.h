#pragma once

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/types/span.h"
#include "frontend/grpc/grpcpp_call.h"
#include "frontend/grpc/grpcpp_transport.h"

namespace nereid {

// One completion queue and the thread that works on it. Keeps calls posted for every method and
// hands the ones that arrive to the receiver. For .cc files of this folder only.
class GrpcppQueue final : public GrpcppCallOwner {
 public:
  // What is pointed to outlives the queue.
  GrpcppQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue,
              absl::Span<const MethodRoute> routes, RpcReceiver* receiver,
              grpc_compression_level compression);
  ~GrpcppQueue() override;

  // Posts the first calls and starts the thread. The server has been started.
  void Start();
  // Waits until every call has been answered and ends the thread. The server has been shut down.
  void Stop();
  int64_t InFlight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  void Run();
  // Waits for the next event and handles what else has happened by then. False at the end.
  bool RunOnce();
  void TransmitReplies();
  void Post(const MethodRoute& route);
  void OnArrived(GrpcppCall* call) override;
  void OnReply(GrpcppCall* call) override;
  void OnIdle(GrpcppCall* call, bool was_used) override;

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const absl::Span<const MethodRoute> routes_;
  RpcReceiver& receiver_;
  const grpc_compression_level compression_;
  std::vector<std::unique_ptr<GrpcppCall>> spare_;  // touched by the thread only, once it runs

  std::atomic<int64_t> in_flight_{0};  // arrived, not idle again
  // Posted, not idle again. Reaches 0 only after the server has been shut down: until then, each
  // call that arrives is replaced.
  std::atomic<int64_t> outstanding_{0};
  std::mutex mutex_;
  std::condition_variable idle_;  // outstanding_ has become 0

  // Replies of other threads. The thread of the queue sends them before it waits for events; while
  // it waits, whoever adds one sends it. So no thread is woken only to send, and at most times only
  // one thread at a time touches the connections.
  std::mutex replies_mutex_;
  std::vector<GrpcppCall*> replies_;  // guarded by replies_mutex_
  std::atomic<bool> asleep_{false};
  std::thread::id thread_id_;  // set before the first call arrives
  std::thread thread_;
};

}  // namespace nereid
