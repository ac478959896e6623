#include "frontend/http/http_frontend.h"

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "frontend/http/http_environment.h"
#include "frontend/http/http_reply.h"
#include "frontend/http/infer_handler.h"
#include "frontend/http/restricted_apis.h"
#include "frontend/http/routes.h"
#include "net/http_listener.h"
#include "net/router.h"
#include "wire/header_forwarding.h"
#include "wire/kserve_json_request.h"
#include "wire/kserve_json_response.h"

namespace nereid {
namespace {

HttpListenerOptions ListenerOptions(const HttpServiceOptions& options) {
  HttpListenerOptions listener;
  listener.address = options.endpoint.address;
  listener.port = static_cast<uint16_t>(options.endpoint.port);
  listener.reuse_port = options.endpoint.reuse_port;
  listener.inherited = options.endpoint.inherited;
  listener.thread_count =
      options.thread_count > 0 ? options.thread_count : DefaultHttpThreadCount();
  listener.max_connections = static_cast<int>(options.max_connections);
  listener.connection.max_head_bytes = static_cast<size_t>(options.max_header_size);
  listener.connection.max_pipelined = options.max_pipelined_requests;
  listener.connection.head_timeout = options.header_timeout;
  listener.connection.body_timeout = options.body_timeout;
  listener.connection.write_timeout = options.write_timeout;
  listener.connection.idle_timeout = options.keepalive_timeout;
  return listener;
}

}  // namespace

// Decides about heads and passes requests to the handlers of their routes.
class HttpFrontend::Impl final : public HttpHandler {
 public:
  static absl::StatusOr<std::unique_ptr<Impl>> Create(const HttpServiceOptions& options,
                                                      InferenceServer* server) {
    NEREID_ASSIGN_OR_RETURN(auto forwarding,
                            HeaderForwarding::Create(options.header_forward_pattern));
    std::unique_ptr<Impl> impl(new Impl(options, server, std::move(forwarding)));
    NEREID_ASSIGN_OR_RETURN(impl->router_, Router::Create(HttpRoutes(impl->environment_)));
    NEREID_ASSIGN_OR_RETURN(impl->listener_,
                            HttpListener::Create(ListenerOptions(options), impl.get()));
    return impl;
  }

  HttpListener& listener() { return *listener_; }

  HeadDecision OnHead(HttpRequest& request) override {
    request.route = router_->Match(request.method, request.path);
    HeadDecision decision;
    const Route* route = request.route.route;
    if (route == nullptr) {
      decision.refusal = HttpResponse(404, kTextContentType, JsonError("Not Found"));
    } else if (const std::string* header = restricted_.MissingHeader(route->category, request)) {
      decision.refusal = Restricted(*route, *header);
    } else if (request.route.kind != RouteMatch::Kind::kFound) {
      decision.refusal =
          HttpResponse(405, route->error_content_type, JsonError("Method Not Allowed"));
    } else {
      decision.max_body_bytes =
          LimitsByHead(*route) ? MaxInferBodyBytes(environment_, request) : route->max_body_bytes;
      // Behind the JSON the first binary tensor begins; runtimes use it in place if it is aligned.
      if (LimitsByHead(*route)) decision.aligned_body_offset = InferJsonLength(request);
    }
    return decision;
  }

  void OnRequest(HttpExchange exchange) override {
    const Route* route = exchange.request().route.route;
    route->handler(std::move(exchange));
  }

  HttpResponse BodyTooLarge(const HttpRequest& request, uint64_t size, uint64_t limit) override {
    if (LimitsByHead(*request.route.route)) return InferBodyTooLarge(environment_, request, size);
    return ErrorResponse(JsonTooLarge(size, limit), kJsonContentType);
  }

 private:
  Impl(const HttpServiceOptions& options, InferenceServer* server,
       std::unique_ptr<const HeaderForwarding> forwarding)
      : forwarding_(std::move(forwarding)),
        restricted_(options.restricted),
        environment_{server, forwarding_.get(), static_cast<uint64_t>(options.max_input_size)} {}

  static bool LimitsByHead(const Route& route) {
    return route.max_body_bytes == kBodyLimitedByHead;
  }

  static HttpResponse Restricted(const Route& route, const std::string& header) {
    return HttpResponse(
        403, route.error_content_type,
        JsonError(StrCat("This API is restricted, expecting header '", header, "'")));
  }

  const std::unique_ptr<const HeaderForwarding> forwarding_;
  const RestrictedApis restricted_;
  const HttpEnvironment environment_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<HttpListener> listener_;  // last: its threads use the rest
};

absl::StatusOr<std::unique_ptr<HttpFrontend>> HttpFrontend::Create(
    const HttpServiceOptions& options, InferenceServer* server) {
  NEREID_ASSIGN_OR_RETURN(std::unique_ptr<Impl> impl, Impl::Create(options, server));
  return std::unique_ptr<HttpFrontend>(new HttpFrontend(std::move(impl)));
}

HttpFrontend::HttpFrontend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpFrontend::~HttpFrontend() = default;

const std::string& HttpFrontend::address() const { return impl_->listener().address(); }
uint16_t HttpFrontend::port() const { return impl_->listener().port(); }
absl::StatusOr<std::vector<int>> HttpFrontend::DuplicateSockets() const {
  return impl_->listener().DuplicateSockets();
}
void HttpFrontend::StopAccepting() { impl_->listener().StopAccepting(); }
bool HttpFrontend::Drain(std::chrono::milliseconds timeout) {
  return impl_->listener().Drain(timeout);
}
void HttpFrontend::Shutdown() { impl_->listener().Shutdown(); }

}  // namespace nereid
