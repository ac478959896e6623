#include "frontend/grpc/grpcpp_queue.h"

#include <exception>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "common/deferred_wakeups.h"
#include "common/log.h"

namespace nereid {
namespace {

constexpr size_t kMaxSpareCalls = 256;
// Events handled before workers are woken: they wait no longer than this many requests take to
// decode.
constexpr int kMaxEventsPerRound = 32;

}  // namespace

GrpcppQueue::GrpcppQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue,
                         absl::Span<const MethodRoute> routes, RpcReceiver* receiver,
                         grpc_compression_level compression)
    : queue_(std::move(queue)), routes_(routes), receiver_(*receiver), compression_(compression) {}

GrpcppQueue::~GrpcppQueue() = default;

void GrpcppQueue::Start() {
  for (const MethodRoute& route : routes_) {
    for (int i = 0; i < route.method->ready_calls; ++i) Post(route);
  }
  thread_ = std::thread([this] { Run(); });
}

void GrpcppQueue::Stop() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return outstanding_ == 0; });
  }
  queue_->Shutdown();
  if (thread_.joinable()) thread_.join();
}

void GrpcppQueue::Run() {
  thread_id_ = std::this_thread::get_id();
  while (RunOnce()) {
  }
}

bool GrpcppQueue::RunOnce() {
  // In this order: a reply that is added too late to be seen here is added by a thread that sees
  // that this one is asleep.
  asleep_ = true;
  TransmitReplies();
  void* event;
  bool ok;
  if (!queue_->Next(&event, &ok)) return false;
  asleep_ = false;
  const DeferredWakeups::Scope scope;
  int handled = 0;
  do {
    const auto* tag = static_cast<const GrpcppTag*>(event);
    (tag->call->*tag->handle)(ok);
  } while (++handled < kMaxEventsPerRound &&
           queue_->AsyncNext(&event, &ok, gpr_inf_past(GPR_CLOCK_MONOTONIC)) ==
               grpc::CompletionQueue::GOT_EVENT);
  return true;
}

void GrpcppQueue::OnReply(GrpcppCall* call) {
  if (std::this_thread::get_id() == thread_id_) return call->Transmit();
  {
    const std::lock_guard<std::mutex> lock(replies_mutex_);
    replies_.push_back(call);
  }
  if (asleep_) TransmitReplies();
}

void GrpcppQueue::TransmitReplies() {
  absl::InlinedVector<GrpcppCall*, 32> sending;
  {
    const std::lock_guard<std::mutex> lock(replies_mutex_);
    sending.assign(replies_.begin(), replies_.end());
    replies_.clear();
  }
  for (GrpcppCall* call : sending) call->Transmit();
}

void GrpcppQueue::Post(const MethodRoute& route) {
  outstanding_.fetch_add(1, std::memory_order_relaxed);
  std::unique_ptr<GrpcppCall> call;
  if (spare_.empty()) {
    call = std::make_unique<GrpcppCall>(this, compression_);
  } else {
    call = std::move(spare_.back());
    spare_.pop_back();
  }
  // The completion queue holds it until it comes back as an event.
  call.release()->Post(route, queue_.get());
}

void GrpcppQueue::OnArrived(GrpcppCall* call) {
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  Post(call->route());
  const RpcMethod& method = *call->route().method;
  try {
    receiver_.OnCall(method, RpcCallHandle(call));
  } catch (const std::exception& error) {
    // The handle has answered the call on its way out.
    NLOG(Error) << method.name << " failed: " << error.what();
  }
}

void GrpcppQueue::OnIdle(GrpcppCall* call, bool was_used) {
  std::unique_ptr<GrpcppCall> owned(call);
  if (was_used) {
    in_flight_.fetch_sub(1, std::memory_order_relaxed);
    if (spare_.size() < kMaxSpareCalls) spare_.push_back(std::move(owned));
  }
  if (outstanding_.fetch_sub(1) == 1) {
    std::lock_guard<std::mutex> lock(mutex_);
    idle_.notify_all();
  }
}

}  // namespace nereid
