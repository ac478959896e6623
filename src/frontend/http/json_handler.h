#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "frontend/http/http_environment.h"
#include "frontend/http/http_reply.h"
#include "net/http_exchange.h"
#include "net/http_request.h"

namespace nereid {

// Makes a handler of a function that answers at once with a JSON body:
//   absl::StatusOr<std::string> Function(const HttpEnvironment&, const HttpRequest&).
template <absl::StatusOr<std::string> (*function)(const HttpEnvironment&, const HttpRequest&)>
void HandleWithJson(const HttpEnvironment& environment, HttpExchange exchange) {
  absl::StatusOr<std::string> json = function(environment, exchange.request());
  if (!json.ok()) return ReplyError(std::move(exchange), json.status());
  ReplyJson(std::move(exchange), *std::move(json));
}

}  // namespace nereid
