#pragma once

#include <cstdint>
#include <optional>

#include "net/http_exchange.h"
#include "net/http_request.h"
#include "net/http_response.h"

namespace nereid {

// What the handler decides when it has seen a head and before any byte of the body is stored.
struct HeadDecision {
  // Answer now, without reading the body. Absent: read it, then call OnRequest.
  std::optional<HttpResponse> refusal;
  // Bytes of body, as transferred, that are accepted. A larger declared length is refused before
  // anything is allocated, a chunked body as soon as it passes the limit; BodyTooLarge answers.
  uint64_t max_body_bytes = UINT64_MAX;
  // The byte of a large body that should lie on a kBodyAlignment boundary in memory: where the part
  // begins that somebody will use in place. Past the end of the body it means nothing.
  uint64_t aligned_body_offset = 0;
};

// The application behind a listener. Called on the loops' threads, concurrently for connections
// of different loops; must not block, and must outlive the listener.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // The head is complete, the body is not. May set request.route (Router::Match).
  virtual HeadDecision OnHead(HttpRequest& request) = 0;

  // The whole request. Answer through the exchange, now or later, from any thread.
  virtual void OnRequest(HttpExchange exchange) = 0;

  // The answer to a body above HeadDecision::max_body_bytes. `size` is the declared length, or for
  // a chunked body the bytes seen so far. The connection closes afterwards.
  virtual HttpResponse BodyTooLarge(const HttpRequest& request, uint64_t size, uint64_t limit);
};

}  // namespace nereid
