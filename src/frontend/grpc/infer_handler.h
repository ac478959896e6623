#pragma once

#include "frontend/grpc/rpc_method.h"

namespace nereid {

// ModelInfer: from the message's bytes to an InferRequest on its way through the server.
void HandleModelInfer(const RpcEnvironment& environment, RpcCallHandle call);

}  // namespace nereid
