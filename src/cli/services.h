#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "assembly/core.h"
#include "assembly/process_state.h"
#include "config/server_options.h"
#include "frontend/grpc/grpc_frontend.h"
#include "frontend/http/http_frontend.h"
#include "frontend/metrics/metrics_frontend.h"

namespace nereid {

// The ports of a running server. Started in one go, stopped in the order that answers everything
// that is in flight.
class Services {
 public:
  // Starts gRPC, HTTP and metrics as the options say, and logs their addresses. `core` outlives
  // this.
  static absl::StatusOr<std::unique_ptr<Services>> Start(const ServerOptions& options, Core* core);

  // Descriptors of all ports, for a process that goes on with them (HttpListener).
  absl::StatusOr<ProcessState::Sockets> DuplicateSockets() const;

  // Stops accepting and answers what is in flight within `timeout`. The port of the metrics stays
  // open.
  void Drain(std::chrono::milliseconds timeout);
  // Drains, stops the core; all within the exit timeout. INTERNAL when the time was not enough.
  absl::Status Stop(std::chrono::seconds timeout);

  // 0 when the service is off.
  int http_port() const { return http_ ? http_->port() : 0; }
  int grpc_port() const { return grpc_ ? grpc_->port() : 0; }
  int metrics_port() const { return metrics_ ? metrics_->port() : 0; }

  // "Service | Address" with the ports really in use, for the start-up tables.
  std::string AddressTable() const;

 private:
  Services(const ServerOptions& options, Core* core) : options_(options), core_(core) {}
  absl::Status StartGrpc();
  absl::Status StartHttp();
  absl::Status StartMetrics();

  const ServerOptions options_;
  Core* const core_;
  std::unique_ptr<GrpcFrontend> grpc_;
  std::unique_ptr<HttpFrontend> http_;
  std::unique_ptr<MetricsFrontend> metrics_;
};

}  // namespace nereid
