#pragma once

#include "frontend/grpc/rpc_method.h"

namespace inference {
class CudaSharedMemoryStatusRequest;
class CudaSharedMemoryStatusResponse;
class SystemSharedMemoryStatusRequest;
class SystemSharedMemoryStatusResponse;
}  // namespace inference

namespace nereid {

// The shared-memory extensions of a server that lets clients register nothing: there are no
// regions, and none can be added.

absl::Status SystemSharedMemoryStatusOf(const RpcEnvironment& environment,
                                        const inference::SystemSharedMemoryStatusRequest& request,
                                        inference::SystemSharedMemoryStatusResponse* response);
absl::Status CudaSharedMemoryStatusOf(const RpcEnvironment& environment,
                                      const inference::CudaSharedMemoryStatusRequest& request,
                                      inference::CudaSharedMemoryStatusResponse* response);
// Refuses whatever the message says.
void RefuseSharedMemory(const RpcEnvironment& environment, RpcCallHandle call);

}  // namespace nereid
