#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "net/http_body.h"
#include "net/route_match.h"

namespace nereid {

enum class HttpMethod : uint8_t { kGet, kPost, kPut, kDelete, kHead, kOptions, kPatch, kOther };

// A name as sent (any case) and its value without surrounding blanks.
struct HttpHeader {
  std::string_view name;
  std::string_view value;
};

// One request. Every string_view points into the head buffer, which the request keeps alive; the
// body has an owner of its own and may be kept longer. Written by the connection on its loop, then
// constant: readable from any thread.
struct HttpRequest {
  HttpMethod method = HttpMethod::kOther;
  uint8_t version_minor = 1;  // HTTP/1.<version_minor>: 0 or 1
  bool keep_alive = true;     // what the client asks for (version and Connection header)
  bool chunked = false;
  bool expect_continue = false;

  std::string_view method_text;  // "POST"
  std::string_view target;       // as sent: "/v2/models/a%20b?x=1"
  std::string_view path;         // before '?', not percent-decoded: "/v2/models/a%20b"
  std::string_view query;        // behind '?', empty when there is none

  absl::InlinedVector<HttpHeader, 12> headers;
  std::optional<uint64_t> content_length;  // as declared; absent for chunked bodies

  // Complete when HttpHandler::OnRequest is called; at least kBodyPadding bytes behind its end
  // may be read, for an empty body, too.
  HttpBody body;

  // Set by Router::Match; not set when the handler uses no router.
  RouteMatch route;

  // The bytes the views above point into.
  std::shared_ptr<const void> head_owner;

  // First header of that name, compared without case; absent is nullptr.
  const HttpHeader* Find(std::string_view name) const;

  // Value of the first header of that name, or "".
  std::string_view Header(std::string_view name) const;
};

}  // namespace nereid
