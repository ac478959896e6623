#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "net/http_exchange.h"
#include "net/http_response.h"

namespace nereid {

inline constexpr std::string_view kJsonContentType = "application/json";
inline constexpr std::string_view kTextContentType = "text/plain";
inline constexpr std::string_view kBinaryContentType = "application/octet-stream";

// {"error":"<message>"} with the HTTP status of the code.
HttpResponse ErrorResponse(const absl::Status& status, std::string_view content_type);

void ReplyError(HttpExchange exchange, const absl::Status& status, std::string_view content_type);
// With the content type that the route's errors have.
void ReplyError(HttpExchange exchange, const absl::Status& status);

// 200 with a JSON body.
void ReplyJson(HttpExchange exchange, std::string json);

// `http_status` with an empty body.
void ReplyEmpty(HttpExchange exchange, int http_status, std::string_view content_type);

}  // namespace nereid
