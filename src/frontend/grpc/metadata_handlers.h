#pragma once

#include "frontend/grpc/rpc_method.h"

namespace inference {
class ModelConfigRequest;
class ModelConfigResponse;
class ModelMetadataRequest;
class ModelMetadataResponse;
class ServerMetadataRequest;
class ServerMetadataResponse;
}  // namespace inference

namespace nereid {

// What the server and its models are.

absl::Status ServerMetadataOf(const RpcEnvironment& environment,
                              const inference::ServerMetadataRequest&,
                              inference::ServerMetadataResponse* response);
absl::Status ModelMetadataOf(const RpcEnvironment& environment,
                             const inference::ModelMetadataRequest& request,
                             inference::ModelMetadataResponse* response);
absl::Status ModelConfigOf(const RpcEnvironment& environment,
                           const inference::ModelConfigRequest& request,
                           inference::ModelConfigResponse* response);

}  // namespace nereid
