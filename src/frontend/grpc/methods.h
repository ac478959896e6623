#pragma once

#include "absl/types/span.h"
#include "frontend/grpc/rpc_method.h"

namespace nereid {

// Every procedure of the inference service and the standard health service, one row each.
absl::Span<const RpcMethod> GrpcMethods();

}  // namespace nereid
