#include "frontend/metrics/metrics_frontend.h"

#include <utility>

#include "common/status_macros.h"
#include "net/http_handler.h"

namespace nereid {
namespace {

// A scrape has no body; what is sent all the same is small.
constexpr uint64_t kMaxBodyBytes = 4096;

}  // namespace

class MetricsFrontend::Handler : public HttpHandler {
 public:
  explicit Handler(const MetricsRegistry* registry) : registry_(registry) {}

  HeadDecision OnHead(HttpRequest&) override {
    return {.refusal = {}, .max_body_bytes = kMaxBodyBytes};
  }

  void OnRequest(HttpExchange exchange) override {
    const HttpRequest& request = exchange.request();
    const bool reads = request.method == HttpMethod::kGet || request.method == HttpMethod::kHead;
    if (!reads) {
      exchange.Reply(HttpResponse(405, "text/plain; charset=utf-8", "Method Not Allowed\n"));
      return;
    }
    // Scrapers that probe other paths have always been told 200 with nothing in it.
    const bool is_metrics = request.path == "/metrics" || request.path == "/metrics/";
    exchange.Reply(HttpResponse(200, "text/plain; charset=utf-8",
                                is_metrics ? registry_->Text() : std::string()));
  }

 private:
  const MetricsRegistry* const registry_;
};

MetricsFrontend::MetricsFrontend(const MetricsRegistry* registry)
    : handler_(std::make_unique<Handler>(registry)) {}

MetricsFrontend::~MetricsFrontend() = default;

absl::StatusOr<std::unique_ptr<MetricsFrontend>> MetricsFrontend::Create(
    const Options& options, const MetricsRegistry* registry) {
  std::unique_ptr<MetricsFrontend> frontend(new MetricsFrontend(registry));
  HttpListenerOptions listener;
  listener.address = options.address;
  listener.port = options.port;
  listener.inherited = options.inherited;
  listener.thread_name = "metrics";
  NEREID_ASSIGN_OR_RETURN(frontend->listener_,
                          HttpListener::Create(listener, frontend->handler_.get()));
  return frontend;
}

}  // namespace nereid
