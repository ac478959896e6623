#include <cudnn.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "support/modules/fake_cuda/library.h"

// A stand-in for cuDNN: every graph has a few engines, which do nothing. What is made is counted.
namespace {

using nereid::testing::FakeLibraryHandle;
using nereid::testing::HandleUse;

constexpr int64_t kEngines = 3;
constexpr int64_t kWorkspaceBytes = 100'000;  // of the first engine; others take more

// Engines, their configurations and plans are told apart by the engine's number only.
struct Descriptor {
  cudnnBackendDescriptorType_t type;
  int64_t engine = 0;
  bool fallback = false;                // a heuristic
  FakeLibraryHandle* handle = nullptr;  // a plan: the one it was made with
};

Descriptor* Of(void* descriptor) { return static_cast<Descriptor*>(descriptor); }

FakeLibraryHandle* Of(cudnnHandle_t handle) { return reinterpret_cast<FakeLibraryHandle*>(handle); }

}  // namespace

extern "C" {

size_t cudnnGetVersion() { return 91900; }
const char* cudnnGetErrorString(cudnnStatus_t) { return "error of the stand-in for cuDNN"; }

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  fake_cuda_count("cudnnCreate");
  *handle = reinterpret_cast<cudnnHandle_t>(new FakeLibraryHandle);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  fake_cuda_count("cudnnDestroy");
  const bool works = Of(handle)->Works();
  delete Of(handle);
  return works ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_INTERNAL_ERROR;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  const HandleUse use(Of(handle));
  Of(handle)->stream = reinterpret_cast<CUstream>(stream);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* descriptor) {
  fake_cuda_count("cudnnBackendCreateDescriptor");
  *descriptor = new Descriptor{type};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  fake_cuda_count("cudnnBackendDestroyDescriptor");
  delete Of(descriptor);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t, const void* values) {
  Descriptor& own = *Of(descriptor);
  switch (name) {
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
      own.engine = *static_cast<const int64_t*>(values);
      break;
    case CUDNN_ATTR_ENGINECFG_ENGINE:
    case CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG:
      own.engine = Of(*static_cast<void* const*>(values))->engine;
      break;
    case CUDNN_ATTR_EXECUTION_PLAN_HANDLE:
      own.handle = Of(*static_cast<const cudnnHandle_t*>(values));
      break;
    case CUDNN_ATTR_ENGINEHEUR_MODE:
      own.fallback =
          *static_cast<const cudnnBackendHeurMode_t*>(values) == CUDNN_HEUR_MODE_FALLBACK;
      break;
    default:
      break;
  }
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t limit, int64_t* count,
                                       void* values) {
  const Descriptor& own = *Of(descriptor);
  *count = 1;
  switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
      *count = own.fallback ? 0 : std::min(limit, kEngines);
      for (int64_t i = 0; i < *count; ++i) Of(static_cast<void**>(values)[i])->engine = i;
      break;
    case CUDNN_ATTR_ENGINECFG_ENGINE:
      Of(*static_cast<void**>(values))->engine = own.engine;
      break;
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
      std::memcpy(values, &own.engine, sizeof(own.engine));
      break;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE: {
      const int64_t bytes = kWorkspaceBytes * (own.engine + 1);
      std::memcpy(values, &bytes, sizeof(bytes));
      break;
    }
    default:
      *count = 0;
  }
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  const Descriptor& own = *Of(descriptor);
  std::optional<HandleUse> use;
  if (own.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    fake_cuda_count("cudnnFinalizePlan");
    use.emplace(own.handle);
  }
  const bool known = own.engine >= 0 && own.engine < kEngines;
  return known ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}
// A plan goes on using the handle that it was made with.
cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t) {
  fake_cuda_count("cudnnBackendExecute");
  const HandleUse use(Of(handle));
  std::optional<HandleUse> maker;
  if (Of(plan)->handle != Of(handle)) maker.emplace(Of(plan)->handle);
  const bool launched = fake_cuda_launch(Of(handle)->stream) == CUDA_SUCCESS;
  return launched ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}

}  // extern "C"
