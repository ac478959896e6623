#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <optional>
#include <variant>

#include "frontend/grpc/grpcpp_service.h"
#include "frontend/grpc/rpc_call.h"

namespace nereid {

class GrpcppCall;

// What goes through a completion queue: whom to tell that an operation has ended.
struct GrpcppTag {
  GrpcppCall* call;
  void (GrpcppCall::*handle)(bool ok);
};

// Told by its calls where they are, on the thread of the queue.
class GrpcppCallOwner {
 public:
  virtual ~GrpcppCallOwner() = default;
  virtual void OnArrived(GrpcppCall* call) = 0;
  // The call has its answer and wants Transmit(); unlike the others, on any thread.
  virtual void OnReply(GrpcppCall* call) = 0;
  // The call has ended, or never came (`was_used` is false); it may be posted again or deleted.
  virtual void OnIdle(GrpcppCall* call, bool was_used) = 0;
};

// One call over grpc++: posted, arrived, answered, idle again. For .cc files of this folder only.
//
// Everything runs on the thread of its queue, but for what a handler may do on any thread. grpc++
// reports the end of a call twice: once when the answer has gone, once when the client has; only
// after both is the call idle.
class GrpcppCall final : public RpcCall {
 public:
  GrpcppCall(GrpcppCallOwner* owner, grpc_compression_level compression)
      : owner_(*owner), compression_(compression) {}

  // Waits for the next call of the route's method.
  void Post(const MethodRoute& route, grpc::ServerCompletionQueue* queue);
  const MethodRoute& route() const { return *route_; }
  // Sends the answer. Nothing of the call may be touched afterwards but by the events of its queue.
  void Transmit();

  Payload TakeRequest() override;
  std::optional<std::string_view> FindMetadata(std::string_view key) const override;
  void VisitMetadata(MetadataVisitor visitor) const override;
  TimePoint deadline() const override;
  bool IsCancelled() const noexcept override { return cancelled_.load(std::memory_order_relaxed); }

 private:
  using Unary = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
  using Stream = grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

  void Finish(OutgoingMessage message) noexcept override;
  void FinishWithError(const absl::Status& status) noexcept override;

  void OnArrived(bool ok);
  void OnAnswered(bool ok);
  void OnDone(bool ok);
  void OnEnd();

  GrpcppCallOwner& owner_;
  const grpc_compression_level compression_;
  GrpcppTag arrived_{this, &GrpcppCall::OnArrived};
  GrpcppTag answered_{this, &GrpcppCall::OnAnswered};
  GrpcppTag done_{this, &GrpcppCall::OnDone};

  const MethodRoute* route_ = nullptr;
  std::optional<grpc::ServerContext> context_;
  std::variant<std::monostate, Unary, Stream> responder_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
  grpc::Status error_;  // OK: there is a reply
  std::atomic<bool> cancelled_{false};
  int open_ends_ = 0;
};

}  // namespace nereid
