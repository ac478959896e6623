#include "frontend/grpc/health_handlers.h"

#include "common/status_macros.h"
#include "proto/grpc_service.pb.h"
#include "proto/health.pb.h"
#include "server/inference_server.h"
#include "wire/model_version.h"

namespace nereid {
namespace {

// Ready or not; an error only while shutting down.
absl::StatusOr<bool> Readiness(const InferenceServer& server) {
  absl::StatusOr<bool> ready = server.Ready();
  if (!ready.ok() && !absl::IsUnavailable(ready.status())) return false;
  return ready;
}

}  // namespace

absl::Status ServerLive(const RpcEnvironment& environment, const inference::ServerLiveRequest&,
                        inference::ServerLiveResponse* response) {
  const absl::Status live = environment.server->Live();
  if (absl::IsUnavailable(live)) return live;
  response->set_live(live.ok());
  return absl::OkStatus();
}

absl::Status ServerReady(const RpcEnvironment& environment, const inference::ServerReadyRequest&,
                         inference::ServerReadyResponse* response) {
  NEREID_ASSIGN_OR_RETURN(const bool ready, Readiness(*environment.server));
  response->set_ready(ready);
  return absl::OkStatus();
}

absl::Status ModelReady(const RpcEnvironment& environment,
                        const inference::ModelReadyRequest& request,
                        inference::ModelReadyResponse* response) {
  NEREID_ASSIGN_OR_RETURN(const int64_t version, ParseModelVersion(request.version()));
  NEREID_ASSIGN_OR_RETURN(const bool ready,
                          environment.server->ModelReady(request.name(), version));
  response->set_ready(ready);
  return absl::OkStatus();
}

absl::Status CheckHealth(const RpcEnvironment& environment,
                         const grpc::health::v1::HealthCheckRequest&,
                         grpc::health::v1::HealthCheckResponse* response) {
  using grpc::health::v1::HealthCheckResponse;
  NEREID_ASSIGN_OR_RETURN(const bool ready, Readiness(*environment.server));
  response->set_status(ready ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  return absl::OkStatus();
}

}  // namespace nereid
