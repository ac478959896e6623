#pragma once

#include "frontend/grpc/rpc_method.h"

namespace inference {
class CudaSharedMemoryStatusRequest;
class CudaSharedMemoryStatusResponse;
class SystemSharedMemoryStatusRequest;
class SystemSharedMemoryStatusResponse;
}  // namespace inference

namespace nereid {

// The shared-memory extensions: clients register regions, which then stand for tensors.

// The region of that name, or all of the kind.
absl::Status SystemSharedMemoryStatusOf(const RpcEnvironment& environment,
                                        const inference::SystemSharedMemoryStatusRequest& request,
                                        inference::SystemSharedMemoryStatusResponse* response);
absl::Status CudaSharedMemoryStatusOf(const RpcEnvironment& environment,
                                      const inference::CudaSharedMemoryStatusRequest& request,
                                      inference::CudaSharedMemoryStatusResponse* response);

// Refuse whatever the message says where clients may not register regions.
void HandleSystemSharedMemoryRegister(const RpcEnvironment& environment, RpcCallHandle call);
void HandleSystemSharedMemoryUnregister(const RpcEnvironment& environment, RpcCallHandle call);
void HandleCudaSharedMemoryRegister(const RpcEnvironment& environment, RpcCallHandle call);
void HandleCudaSharedMemoryUnregister(const RpcEnvironment& environment, RpcCallHandle call);

}  // namespace nereid
