#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"
#include "net/http_request.h"
#include "net/http_response.h"

namespace nereid {

class HttpConnection;

// What a connection and the holder of an HttpExchange share: the request, and the outbox through
// which the answer travels to the loop. Counted references: one of the connection while the request
// is in its pipeline, one of the HttpExchange, one while it is posted to the loop.
class ExchangeState final : public LoopTask {
 public:
  // What the holder has put in since the last look.
  struct Outbox {
    std::optional<HttpResponse> head;   // a unary response, or the head of a stream
    std::vector<HttpSegment> segments;  // of a stream
    bool streaming = false;             // `head` begins a stream, or one has begun
    bool ended = false;                 // nothing comes any more
    bool aborted = false;               // the holder dropped the stream before its end
  };

  // One reference, the connection's.
  ExchangeState(std::shared_ptr<EventLoop> loop, HttpConnection* connection)
      : loop_(std::move(loop)), connection_(connection) {}

  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  // --- The holder's side; any thread.
  void Reply(HttpResponse response);
  void StartStream(HttpResponse head);
  bool Write(HttpSegment segment);
  void End();
  // The holder lets go: answers 500 or breaks the stream off, unless the answer is complete.
  void Release();
  void OnCancel(absl::AnyInvocable<void()> callback);
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  const HttpRequest& request() const { return request_; }
  EventLoop& loop() const { return *loop_; }

  // --- The connection's side; loop thread.
  HttpRequest& mutable_request() { return request_; }
  bool HasMail() const { return mail_.load(std::memory_order_acquire); }
  Outbox TakeOutbox();
  // Puts in an answer of the connection's own (the request was never handed out).
  void Answer(HttpResponse response);
  // The client is gone, or the connection is done with this exchange. Forgets the connection,
  // then runs the cancel callback if the answer was not complete.
  void Detach();

  // Of the connection, loop thread only.
  ExchangeState* next_in_pipeline = nullptr;
  bool body_complete = false;
  bool continue_due = false;    // 100 Continue is to be sent when its turn comes
  bool stream_started = false;  // the head of a stream has been written
  bool close_after = false;     // the connection ends with this exchange

  void Run() override;
  void Abandon() override { Unref(); }

 private:
  ~ExchangeState() override = default;

  // Applies `change` to the outbox and has the connection look at it.
  template <typename Change>
  void Deliver(Change change);

  const std::shared_ptr<EventLoop> loop_;
  HttpConnection* connection_;  // loop thread; null when the connection is gone
  HttpRequest request_;
  std::atomic<int> references_{1};
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> mail_{false};  // the outbox may hold something new

  std::mutex mutex_;
  // Guarded by mutex_.
  Outbox outbox_;
  bool posted_ = false;
  bool complete_ = false;  // Reply, End or Release was called
  absl::AnyInvocable<void()> on_cancel_;
};

}  // namespace nereid
