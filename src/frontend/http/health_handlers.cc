#include "frontend/http/health_handlers.h"

#include <utility>

#include "common/status_macros.h"
#include "frontend/http/http_reply.h"
#include "frontend/http/model_path.h"
#include "net/http_exchange.h"
#include "server/inference_server.h"

namespace nereid {
namespace {

void ReplyHealth(HttpExchange exchange, const absl::StatusOr<bool>& healthy) {
  if (!healthy.ok()) return ReplyError(std::move(exchange), healthy.status());
  ReplyEmpty(std::move(exchange), *healthy ? 200 : 400, kTextContentType);
}

absl::StatusOr<bool> ModelReady(const InferenceServer& server, const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const ModelPath path, ModelPathOf(request));
  NEREID_ASSIGN_OR_RETURN(const bool ready, server.ModelReady(path.model, path.version));
  if (!ready) return absl::InvalidArgumentError("Model version not ready");
  return true;
}

}  // namespace

void HandleServerLive(const HttpEnvironment& environment, HttpExchange exchange) {
  const absl::Status live = environment.server->Live();
  if (absl::IsUnavailable(live)) return ReplyError(std::move(exchange), live);
  ReplyHealth(std::move(exchange), live.ok());
}

void HandleServerReady(const HttpEnvironment& environment, HttpExchange exchange) {
  ReplyHealth(std::move(exchange), environment.server->Ready());
}

void HandleModelReady(const HttpEnvironment& environment, HttpExchange exchange) {
  const auto ready = ModelReady(*environment.server, exchange.request());
  ReplyHealth(std::move(exchange), ready);
}

}  // namespace nereid
