#pragma once

#include "frontend/grpc/rpc_method.h"

namespace inference {
class RepositoryIndexRequest;
class RepositoryIndexResponse;
}  // namespace inference

namespace nereid {

// The model repository extension. Load and unload answer when they are done.

absl::Status RepositoryIndexOf(const RpcEnvironment& environment,
                               const inference::RepositoryIndexRequest& request,
                               inference::RepositoryIndexResponse* response);
void HandleModelLoad(const RpcEnvironment& environment, RpcCallHandle call);
void HandleModelUnload(const RpcEnvironment& environment, RpcCallHandle call);

}  // namespace nereid
