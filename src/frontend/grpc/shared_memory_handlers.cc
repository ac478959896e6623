#include "frontend/grpc/shared_memory_handlers.h"

#include "common/strings.h"
#include "proto/grpc_service.pb.h"

namespace nereid {
namespace {

absl::Status NoRegion(const char* kind, const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  return absl::NotFoundError(
      StrCat("Unable to find ", kind, " shared memory region: '", name, "'"));
}

}  // namespace

absl::Status SystemSharedMemoryStatusOf(const RpcEnvironment&,
                                        const inference::SystemSharedMemoryStatusRequest& request,
                                        inference::SystemSharedMemoryStatusResponse*) {
  return NoRegion("system", request.name());
}

absl::Status CudaSharedMemoryStatusOf(const RpcEnvironment&,
                                      const inference::CudaSharedMemoryStatusRequest& request,
                                      inference::CudaSharedMemoryStatusResponse*) {
  return NoRegion("cuda", request.name());
}

void RefuseSharedMemory(const RpcEnvironment&, RpcCallHandle call) {
  call.Fail(absl::UnimplementedError(
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to "
      "enable."));
}

}  // namespace nereid
