#include "frontend/grpc/grpcpp_call.h"

#include <grpc/support/time.h>

#include <utility>

#include "common/strings.h"
#include "frontend/grpc/grpcpp_bytes.h"
#include "wire/status_codes.h"

namespace nereid {
namespace {

std::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

// Clients refuse trailers above 8 KiB, in which a byte that is not plain ASCII takes three.
constexpr size_t kMaxEncodedMessage = 6 * 1024;

std::string ShortMessage(std::string_view message) {
  size_t encoded = 0;
  for (size_t i = 0; i < message.size(); ++i) {
    const char c = message[i];
    encoded += c >= ' ' && c <= '~' && c != '%' ? 1 : 3;
    if (encoded > kMaxEncodedMessage) return StrCat(message.substr(0, i), "...");
  }
  return std::string(message);
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(GrpcCodeOf(status.code())), ShortMessage(Message(status))};
}

}  // namespace

void GrpcppCall::Post(const MethodRoute& route, grpc::ServerCompletionQueue* queue) {
  route_ = &route;
  cancelled_.store(false, std::memory_order_relaxed);
  grpc::ServerContext& context = context_.emplace();
  context.AsyncNotifyWhenDone(&done_);
  if (route.method->shape == RpcShape::kUnary) {
    auto& unary = responder_.emplace<Unary>(&context);
    route.service->RequestAsyncUnary(route.index, &context, &request_, &unary, queue, queue,
                                     &arrived_);
  } else {
    auto& stream = responder_.emplace<Stream>(&context);
    route.service->RequestAsyncBidiStreaming(route.index, &context, &stream, queue, queue,
                                             &arrived_);
  }
}

Payload GrpcppCall::TakeRequest() { return ToPayload(&request_); }

std::optional<std::string_view> GrpcppCall::FindMetadata(std::string_view key) const {
  const auto& metadata = context_->client_metadata();
  const auto found = metadata.lower_bound(grpc::string_ref(key.data(), key.size()));
  if (found == metadata.end() || View(found->first) != key) return std::nullopt;
  return View(found->second);
}

void GrpcppCall::VisitMetadata(MetadataVisitor visitor) const {
  for (const auto& [key, value] : context_->client_metadata()) visitor(View(key), View(value));
}

TimePoint GrpcppCall::deadline() const {
  const gpr_timespec deadline = context_->raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return TimePoint::max();
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  // Clients may ask for more time than the clock can count.
  if (left.tv_sec > int64_t{100} * 365 * 24 * 3600) return TimePoint::max();
  return Clock::now() + std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
}

void GrpcppCall::Finish(OutgoingMessage message) noexcept {
  if (route_->method->shape != RpcShape::kUnary) {
    return FinishWithError(absl::InternalError("a stream has no single response"));
  }
  reply_ = ToByteBuffer(message);
  owner_.OnReply(this);
}

void GrpcppCall::FinishWithError(const absl::Status& status) noexcept {
  error_ = ToGrpcStatus(status);
  owner_.OnReply(this);
}

void GrpcppCall::Transmit() {
  if (auto* stream = std::get_if<Stream>(&responder_)) return stream->Finish(error_, &answered_);
  Unary& unary = std::get<Unary>(responder_);
  if (!error_.ok()) return unary.FinishWithError(error_, &answered_);
  if (route_->method->compressible && compression_ != GRPC_COMPRESS_LEVEL_NONE) {
    context_->set_compression_level(compression_);
  }
  unary.Finish(reply_, grpc::Status::OK, &answered_);
}

void GrpcppCall::OnArrived(bool ok) {
  if (!ok) return owner_.OnIdle(this, false);
  open_ends_ = 2;
  owner_.OnArrived(this);
}

void GrpcppCall::OnAnswered(bool) { OnEnd(); }

void GrpcppCall::OnDone(bool) {
  if (context_->IsCancelled()) cancelled_.store(true, std::memory_order_relaxed);
  OnEnd();
}

void GrpcppCall::OnEnd() {
  if (--open_ends_ > 0) return;
  responder_.emplace<std::monostate>();
  context_.reset();
  request_.Clear();
  reply_.Clear();
  if (!error_.ok()) error_ = grpc::Status();
  owner_.OnIdle(this, true);
}

}  // namespace nereid
