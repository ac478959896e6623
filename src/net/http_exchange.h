#pragma once

#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"
#include "net/http_request.h"
#include "net/http_response.h"

namespace nereid {

class ExchangeState;

// A request and the duty to answer it, exactly once. Move-only; usable from any thread, one at a
// time. Calls on the loop thread take effect at once, others are posted to the loop.
//
//   unary:   Reply(response)
//   stream:  StartStream(head)  Write(bytes)*  End()
//
// Dropping an exchange that was not answered answers 500; dropping one in mid-stream closes the
// connection without the end mark, so that the client sees a truncated body. Answers to a client
// that is gone are discarded.
class HttpExchange {
 public:
  // Inside this module: takes over one reference to `state`.
  explicit HttpExchange(ExchangeState* state) : state_(state) {}
  HttpExchange() = default;
  HttpExchange(HttpExchange&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  HttpExchange& operator=(HttpExchange&& other) noexcept;
  ~HttpExchange() { Drop(); }

  // False when default-constructed, moved from, or after Reply or End.
  explicit operator bool() const { return state_ != nullptr; }

  // Valid until Reply or End. Bodies are often worth keeping longer: copy request().body.owner.
  const HttpRequest& request() const;

  // The loop that owns the connection: where encoding and Reply cost no hop.
  EventLoop& loop() const;

  // Sends the response. Ends the exchange.
  void Reply(HttpResponse response);

  // Sends the head (and the response's body, if it has one, as the first bytes). The body continues
  // with Write, chunked for HTTP/1.1, until the connection closes for HTTP/1.0.
  void StartStream(HttpResponse head);

  // Appends to the stream and sends. Returns false when the client is gone or reads so slowly that
  // more than max_stream_backlog bytes wait; the stream is then cancelled.
  bool Write(std::string bytes);
  bool Write(HttpSegment segment);

  // Completes the stream. Ends the exchange.
  void End();

  // `callback` runs at most once, when the client disconnects before the answer is complete: on
  // the loop thread, or in this call when that has already happened. Never after Reply or End has
  // returned on the loop thread; when they run on another thread it may be running at that moment.
  void OnCancel(absl::AnyInvocable<void()> callback);

  // The client has disconnected. Any thread.
  bool cancelled() const;

 private:
  void Drop();

  ExchangeState* state_ = nullptr;
};

}  // namespace nereid
