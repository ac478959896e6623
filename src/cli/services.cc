#include "cli/services.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/text_table.h"

namespace nereid {
namespace {

std::string AddressOf(const std::string& address, int port) { return StrCat(address, ":", port); }

std::chrono::milliseconds TimeLeft(TimePoint deadline) {
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
}

std::string KeepaliveTable(const GrpcServiceOptions& options) {
  const std::pair<const char*, int> rows[] = {
      {"keepalive_time_ms", options.keepalive_time_ms},
      {"keepalive_timeout_ms", options.keepalive_timeout_ms},
      {"keepalive_permit_without_calls", options.keepalive_permit_without_calls ? 1 : 0},
      {"http2_max_pings_without_data", options.max_pings_without_data},
      {"http2_min_recv_ping_interval_without_data_ms",
       options.min_recv_ping_interval_without_data_ms},
      {"http2_max_ping_strikes", options.max_ping_strikes},
  };
  TextTable table({"GRPC KeepAlive Option", "Value"});
  for (const auto& [name, value] : rows) table.AddRow({name, StrCat(value)});
  return StrCat("\n", table.Text(), "\n");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Services>> Services::Start(const ServerOptions& options,
                                                          Core* core) {
  std::unique_ptr<Services> services(new Services(options, core));
  if (options.grpc.endpoint.allow) NEREID_RETURN_IF_ERROR(services->StartGrpc());
  if (options.http.endpoint.allow) NEREID_RETURN_IF_ERROR(services->StartHttp());
  if (options.metrics.endpoint.allow) NEREID_RETURN_IF_ERROR(services->StartMetrics());
  return services;
}

absl::Status Services::StartGrpc() {
  absl::StatusOr<std::unique_ptr<GrpcFrontend>> frontend =
      GrpcFrontend::Create(options_.grpc, &core_->server());
  if (!frontend.ok()) {
    NLOG(Error) << "failed to start GRPC service";
    return frontend.status();
  }
  grpc_ = *std::move(frontend);
  NVLOG(1) << "";
  LogRaw(LogLevel::kVerbose, KeepaliveTable(options_.grpc));
  NLOG(Info) << "Started GRPCInferenceService at "
             << AddressOf(options_.grpc.endpoint.address, grpc_->port());
  return absl::OkStatus();
}

absl::Status Services::StartHttp() {
  absl::StatusOr<std::unique_ptr<HttpFrontend>> frontend =
      HttpFrontend::Create(options_.http, &core_->server());
  if (!frontend.ok()) {
    NLOG(Error) << "failed to start HTTP service";
    return frontend.status();
  }
  http_ = *std::move(frontend);
  NLOG(Info) << "Started HTTPService at "
             << AddressOf(options_.http.endpoint.address, http_->port());
  return absl::OkStatus();
}

absl::Status Services::StartMetrics() {
  MetricsFrontend::Options options;
  options.address = options_.metrics.endpoint.address.empty() ? options_.http.endpoint.address
                                                              : options_.metrics.endpoint.address;
  options.port = static_cast<uint16_t>(options_.metrics.endpoint.port);
  options.inherited = options_.metrics.endpoint.inherited;
  absl::StatusOr<std::unique_ptr<MetricsFrontend>> frontend =
      MetricsFrontend::Create(options, &core_->metrics());
  if (!frontend.ok()) {
    NLOG(Error) << "failed to start Metrics service";
    return frontend.status();
  }
  metrics_ = *std::move(frontend);
  NLOG(Info) << "Started Metrics Service at " << AddressOf(options.address, metrics_->port());
  return absl::OkStatus();
}

absl::StatusOr<ProcessState::Sockets> Services::DuplicateSockets() const {
  ProcessState::Sockets sockets;
  if (http_) {
    NEREID_ASSIGN_OR_RETURN(sockets.http, http_->DuplicateSockets());
  }
  if (grpc_) {
    NEREID_ASSIGN_OR_RETURN(sockets.grpc, grpc_->DuplicateSockets());
  }
  if (metrics_) {
    NEREID_ASSIGN_OR_RETURN(sockets.metrics, metrics_->DuplicateSockets());
  }
  return sockets;
}

void Services::Drain(std::chrono::milliseconds timeout) {
  const TimePoint deadline = Clock::now() + timeout;
  if (http_ != nullptr && !http_->Drain(TimeLeft(deadline))) {
    NLOG(Warning) << "HTTP connections were still busy when the exit timeout passed";
  }
  const bool has_calls = grpc_ != nullptr && grpc_->InFlight() > 0;
  if (grpc_ != nullptr && !grpc_->Drain(deadline) && has_calls) {
    NLOG(Warning) << "gRPC calls were still in flight when the exit timeout passed";
  }
}

absl::Status Services::Stop(std::chrono::seconds timeout) {
  const TimePoint deadline = Clock::now() + timeout;
  Drain(timeout);
  NEREID_RETURN_IF_ERROR(core_->server().Stop(std::chrono::duration_cast<std::chrono::seconds>(
      TimeLeft(deadline) + std::chrono::milliseconds(999))));
  http_.reset();
  grpc_.reset();
  metrics_.reset();
  return absl::OkStatus();
}

std::string Services::AddressTable() const {
  TextTable table({"Service", "Address"});
  if (grpc_) table.AddRow({"gRPC", AddressOf(options_.grpc.endpoint.address, grpc_port())});
  if (http_) table.AddRow({"HTTP", AddressOf(options_.http.endpoint.address, http_port())});
  if (metrics_) {
    const std::string& address = options_.metrics.endpoint.address;
    table.AddRow({"Metrics", AddressOf(address.empty() ? options_.http.endpoint.address : address,
                                       metrics_port())});
  }
  return table.Text();
}

}  // namespace nereid
