#include "frontend/http/http_sink.h"

#include <memory>
#include <new>
#include <utility>

#include "common/strings.h"
#include "frontend/http/http_reply.h"
#include "net/event_loop.h"
#include "wire/kserve_json_response.h"

namespace nereid {
namespace {

// Bytes that may be turned into text, or compressed, on an instance's thread.
constexpr size_t kMaxInPlace = 4096;

thread_local const HttpSink* refusing_sink = nullptr;

size_t BytesToWorkOn(const HttpSink::Reply& reply, const InferResponse& response) {
  if (reply.encoding == ContentEncoding::kIdentity) {
    return BytesToConvert(reply.format, response);
  }
  size_t bytes = 0;
  for (const OutputTensor& output : response.outputs) bytes += output.data.byte_size();
  return bytes;
}

HttpResponse BuildResponse(const HttpSink::Reply& reply, InferResponse& response) {
  const JsonResponseHead head{reply.request_id, reply.servable->config().get(),
                              reply.servable->version()};
  absl::StatusOr<JsonInferResponse> body = EncodeJsonResponse(head, reply.format, response);
  if (!body.ok()) return ErrorResponse(body.status(), kTextContentType);
  HttpResponse answer(200, kJsonContentType, std::move(body->json));
  if (body->binary_size > 0) {
    answer.set_content_type(kBinaryContentType);
    answer.AddHeader("Inference-Header-Content-Length", StrCat(answer.text().size()));
    for (const Payload& payload : body->binary) {
      for (const Payload::Segment& segment : payload.segments()) {
        answer.AddSegment(payload.owner(), segment.data(), segment.size());
      }
    }
  }
  if (absl::Status status = CompressBody(reply.encoding, answer); !status.ok()) {
    return ErrorResponse(status, kTextContentType);
  }
  return answer;
}

void SendReply(HttpSink::Reply reply, InferResponse response) noexcept {
  try {
    reply.exchange.Reply(BuildResponse(reply, response));
  } catch (const std::bad_alloc&) {
    ReplyError(std::move(reply.exchange),
               absl::ResourceExhaustedError("failed to allocate memory for the response"),
               kTextContentType);
  }
}

}  // namespace

HttpSink::HttpSink(HttpExchange exchange, ServableHandle servable, ContentEncoding encoding) {
  reply_.exchange = std::move(exchange);
  reply_.servable = std::move(servable);
  reply_.encoding = encoding;
}

HttpSink::RefusalScope::RefusalScope(const HttpSink* sink) { refusing_sink = sink; }
HttpSink::RefusalScope::~RefusalScope() { refusing_sink = nullptr; }

absl::StatusOr<Buffer> HttpSink::Allocate(const TensorSpec& spec, size_t byte_size,
                                          MemoryPlace preferred) noexcept {
  return AllocateOutput(shared_.get(), spec, byte_size, preferred);
}

void HttpSink::Send(InferResponse response, bool is_final) noexcept {
  ++response_count_;
  if (!is_final) {
    if (response_count_ == 1) held_ = std::move(response);
    return;
  }
  // An error is the answer, whatever else there was.
  if (response_count_ == 1 || !response.status.ok()) return Answer(std::move(response));
  AnswerError(absl::InternalError(StrCat("expected a single response, got ", response_count_)));
}

void HttpSink::Finish() noexcept {
  if (response_count_ == 1) return Answer(*std::move(held_));
  AnswerError(absl::InternalError(StrCat("expected a single response, got ", response_count_)));
}

void HttpSink::Answer(InferResponse response) noexcept {
  DeliverOutputs(shared_.get(), response);
  if (!response.status.ok()) return AnswerError(response.status);
  shared_.reset();
  EventLoop& loop = reply_.exchange.loop();
  if (loop.InLoopThread() || BytesToWorkOn(reply_, response) <= kMaxInPlace) {
    return SendReply(std::move(reply_), std::move(response));
  }
  loop.Post([reply = std::move(reply_), response = std::move(response)]() mutable {
    SendReply(std::move(reply), std::move(response));
  });
}

void HttpSink::AnswerError(const absl::Status& status) noexcept {
  shared_.reset();
  ReplyError(std::move(reply_.exchange), status,
             refusing_sink == this ? kJsonContentType : kTextContentType);
}

}  // namespace nereid
