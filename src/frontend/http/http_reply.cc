#include "frontend/http/http_reply.h"

#include <utility>

#include "common/strings.h"
#include "net/router.h"
#include "wire/kserve_json_response.h"
#include "wire/status_codes.h"

namespace nereid {

HttpResponse ErrorResponse(const absl::Status& status, std::string_view content_type) {
  return HttpResponse(HttpStatusOf(status.code()), content_type, JsonError(Message(status)));
}

void ReplyError(HttpExchange exchange, const absl::Status& status, std::string_view content_type) {
  exchange.Reply(ErrorResponse(status, content_type));
}

void ReplyError(HttpExchange exchange, const absl::Status& status) {
  const std::string_view content_type = exchange.request().route.route->error_content_type;
  ReplyError(std::move(exchange), status, content_type);
}

void ReplyJson(HttpExchange exchange, std::string json) {
  exchange.Reply(HttpResponse(200, kJsonContentType, std::move(json)));
}

void ReplyEmpty(HttpExchange exchange, int http_status, std::string_view content_type) {
  exchange.Reply(HttpResponse(http_status, content_type, std::string()));
}

}  // namespace nereid
