#include "frontend/grpc/shared_memory_handlers.h"

#include <utility>

#include "common/status_macros.h"
#include "frontend/grpc/control_message.h"
#include "proto/grpc_service.pb.h"
#include "server/inference_server.h"

namespace nereid {
namespace {

SharedMemoryRegistry& RegistryOf(const RpcEnvironment& environment) {
  return environment.server->shared_memory();
}

absl::Status RegisterSystem(const RpcEnvironment& environment,
                            const inference::SystemSharedMemoryRegisterRequest& request,
                            inference::SystemSharedMemoryRegisterResponse*) {
  return RegistryOf(environment)
      .RegisterSystem(request.name(), request.key(), request.offset(), request.byte_size());
}

absl::Status RegisterCuda(const RpcEnvironment& environment,
                          const inference::CudaSharedMemoryRegisterRequest& request,
                          inference::CudaSharedMemoryRegisterResponse*) {
  return RegistryOf(environment)
      .RegisterCuda(request.name(), request.raw_handle(), request.device_id(), request.byte_size());
}

absl::Status UnregisterSystem(const RpcEnvironment& environment,
                              const inference::SystemSharedMemoryUnregisterRequest& request,
                              inference::SystemSharedMemoryUnregisterResponse*) {
  RegistryOf(environment).Unregister(SharedMemoryKind::kSystem, request.name());
  return absl::OkStatus();
}

absl::Status UnregisterCuda(const RpcEnvironment& environment,
                            const inference::CudaSharedMemoryUnregisterRequest& request,
                            inference::CudaSharedMemoryUnregisterResponse*) {
  RegistryOf(environment).Unregister(SharedMemoryKind::kCuda, request.name());
  return absl::OkStatus();
}

template <auto function>
void HandleIfAllowed(const RpcEnvironment& environment, RpcCallHandle call) {
  const absl::Status allowed = RegistryOf(environment).CheckAllowed();
  if (!allowed.ok()) return call.Fail(allowed);
  ControlHandler<function>::Handle(environment, std::move(call));
}

}  // namespace

absl::Status SystemSharedMemoryStatusOf(const RpcEnvironment& environment,
                                        const inference::SystemSharedMemoryStatusRequest& request,
                                        inference::SystemSharedMemoryStatusResponse* response) {
  NEREID_ASSIGN_OR_RETURN(
      const auto regions,
      RegistryOf(environment).Status(SharedMemoryKind::kSystem, request.name()));
  for (const SharedMemoryInfo& region : regions) {
    auto& row = (*response->mutable_regions())[region.name];
    row.set_name(region.name);
    row.set_key(region.key);
    row.set_offset(region.offset);
    row.set_byte_size(region.byte_size);
  }
  return absl::OkStatus();
}

absl::Status CudaSharedMemoryStatusOf(const RpcEnvironment& environment,
                                      const inference::CudaSharedMemoryStatusRequest& request,
                                      inference::CudaSharedMemoryStatusResponse* response) {
  NEREID_ASSIGN_OR_RETURN(const auto regions,
                          RegistryOf(environment).Status(SharedMemoryKind::kCuda, request.name()));
  for (const SharedMemoryInfo& region : regions) {
    auto& row = (*response->mutable_regions())[region.name];
    row.set_name(region.name);
    row.set_device_id(static_cast<uint64_t>(region.device));
    row.set_byte_size(region.byte_size);
  }
  return absl::OkStatus();
}

void HandleSystemSharedMemoryRegister(const RpcEnvironment& environment, RpcCallHandle call) {
  HandleIfAllowed<RegisterSystem>(environment, std::move(call));
}

void HandleSystemSharedMemoryUnregister(const RpcEnvironment& environment, RpcCallHandle call) {
  HandleIfAllowed<UnregisterSystem>(environment, std::move(call));
}

void HandleCudaSharedMemoryRegister(const RpcEnvironment& environment, RpcCallHandle call) {
  HandleIfAllowed<RegisterCuda>(environment, std::move(call));
}

void HandleCudaSharedMemoryUnregister(const RpcEnvironment& environment, RpcCallHandle call) {
  HandleIfAllowed<UnregisterCuda>(environment, std::move(call));
}

}  // namespace nereid
