#include "frontend/grpc/methods.h"

#include "frontend/grpc/control_message.h"
#include "frontend/grpc/health_handlers.h"
#include "frontend/grpc/infer_handler.h"
#include "frontend/grpc/log_settings_handler.h"
#include "frontend/grpc/metadata_handlers.h"
#include "frontend/grpc/repository_handlers.h"
#include "frontend/grpc/shared_memory_handlers.h"
#include "frontend/grpc/statistics_handler.h"
#include "proto/grpc_service.pb.h"
#include "proto/health.pb.h"

namespace nereid {
namespace {

void RefuseTrace(const RpcEnvironment&, RpcCallHandle call) {
  call.Fail(absl::UnavailableError("the server does not support trace"));
}

void RefuseStream(const RpcEnvironment&, RpcCallHandle call) {
  call.Fail(absl::UnimplementedError("ModelStreamInfer is not supported by this server"));
}

template <auto function>
constexpr auto kControl = &ControlHandler<function>::Handle;

#define NEREID_INFERENCE_RPC(name) "/inference.GRPCInferenceService/" name

constexpr RpcShape kUnary = RpcShape::kUnary;

constexpr RpcMethod kMethods[] = {
    {NEREID_INFERENCE_RPC("ModelInfer"), "inference", kUnary, HandleModelInfer, 64, true},
    {NEREID_INFERENCE_RPC("ModelStreamInfer"), "inference", RpcShape::kStream, RefuseStream},
    {NEREID_INFERENCE_RPC("ServerLive"), "health", kUnary, kControl<ServerLive>},
    {NEREID_INFERENCE_RPC("ServerReady"), "health", kUnary, kControl<ServerReady>},
    {NEREID_INFERENCE_RPC("ModelReady"), "health", kUnary, kControl<ModelReady>},
    {NEREID_INFERENCE_RPC("ServerMetadata"), "metadata", kUnary, kControl<ServerMetadataOf>},
    {NEREID_INFERENCE_RPC("ModelMetadata"), "metadata", kUnary, kControl<ModelMetadataOf>},
    {NEREID_INFERENCE_RPC("ModelConfig"), "model-config", kUnary, kControl<ModelConfigOf>},
    {NEREID_INFERENCE_RPC("ModelStatistics"), "statistics", kUnary, kControl<ModelStatisticsOf>},
    {NEREID_INFERENCE_RPC("RepositoryIndex"), "model-repository", kUnary,
     kControl<RepositoryIndexOf>},
    {NEREID_INFERENCE_RPC("RepositoryModelLoad"), "model-repository", kUnary, HandleModelLoad},
    {NEREID_INFERENCE_RPC("RepositoryModelUnload"), "model-repository", kUnary, HandleModelUnload},
    {NEREID_INFERENCE_RPC("SystemSharedMemoryStatus"), "shared-memory", kUnary,
     kControl<SystemSharedMemoryStatusOf>},
    {NEREID_INFERENCE_RPC("SystemSharedMemoryRegister"), "shared-memory", kUnary,
     HandleSystemSharedMemoryRegister},
    {NEREID_INFERENCE_RPC("SystemSharedMemoryUnregister"), "shared-memory", kUnary,
     HandleSystemSharedMemoryUnregister},
    {NEREID_INFERENCE_RPC("CudaSharedMemoryStatus"), "shared-memory", kUnary,
     kControl<CudaSharedMemoryStatusOf>},
    {NEREID_INFERENCE_RPC("CudaSharedMemoryRegister"), "shared-memory", kUnary,
     HandleCudaSharedMemoryRegister},
    {NEREID_INFERENCE_RPC("CudaSharedMemoryUnregister"), "shared-memory", kUnary,
     HandleCudaSharedMemoryUnregister},
    {NEREID_INFERENCE_RPC("TraceSetting"), "trace", kUnary, RefuseTrace},
    {NEREID_INFERENCE_RPC("LogSettings"), "logging", kUnary, kControl<LogSettingsOf>},
    {"/grpc.health.v1.Health/Check", "health", kUnary, kControl<CheckHealth>},
};

#undef NEREID_INFERENCE_RPC

}  // namespace

absl::Span<const RpcMethod> GrpcMethods() { return kMethods; }

}  // namespace nereid
