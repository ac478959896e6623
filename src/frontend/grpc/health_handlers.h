#pragma once

#include "frontend/grpc/rpc_method.h"

namespace inference {
class ModelReadyRequest;
class ModelReadyResponse;
class ServerLiveRequest;
class ServerLiveResponse;
class ServerReadyRequest;
class ServerReadyResponse;
}  // namespace inference
namespace grpc::health::v1 {
class HealthCheckRequest;
class HealthCheckResponse;
}  // namespace grpc::health::v1

namespace nereid {

// Health. A server that is shutting down answers UNAVAILABLE; one that is merely not well answers
// that it is not.

absl::Status ServerLive(const RpcEnvironment& environment, const inference::ServerLiveRequest&,
                        inference::ServerLiveResponse* response);
absl::Status ServerReady(const RpcEnvironment& environment, const inference::ServerReadyRequest&,
                         inference::ServerReadyResponse* response);
absl::Status ModelReady(const RpcEnvironment& environment,
                        const inference::ModelReadyRequest& request,
                        inference::ModelReadyResponse* response);
// The standard health service; it speaks of the whole server, whichever service is asked for.
absl::Status CheckHealth(const RpcEnvironment& environment,
                         const grpc::health::v1::HealthCheckRequest&,
                         grpc::health::v1::HealthCheckResponse* response);

}  // namespace nereid
