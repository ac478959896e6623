#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "net/http_listener.h"
#include "observability/metrics_registry.h"

namespace nereid {

// The metrics port: GET /metrics in Prometheus text format, on a loop of its own.
class MetricsFrontend {
 public:
  struct Options {
    std::string address = "0.0.0.0";
    uint16_t port = 8002;        // 0: a free one
    std::vector<int> inherited;  // listening sockets to own and serve instead
  };

  // `registry` outlives the frontend. Errors are those of HttpListener::Create.
  static absl::StatusOr<std::unique_ptr<MetricsFrontend>> Create(const Options& options,
                                                                 const MetricsRegistry* registry);
  ~MetricsFrontend();

  uint16_t port() const { return listener_->port(); }
  // See HttpListener.
  absl::StatusOr<std::vector<int>> DuplicateSockets() const {
    return listener_->DuplicateSockets();
  }
  void Shutdown() { listener_->Shutdown(); }

 private:
  class Handler;
  explicit MetricsFrontend(const MetricsRegistry* registry);

  std::unique_ptr<Handler> handler_;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace nereid
