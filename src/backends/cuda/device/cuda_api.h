#pragma once

#include <cublasLt.h>
#include <cuda.h>
#include <cudnn.h>
#include <nvrtc.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The functions of CUDA's libraries that the engine calls, looked up when first asked for: nothing
// is linked, so the executable starts on a machine without a GPU. Each library is one table whose
// members carry the library's own names.
//
// The lists are macros because the driver's header renames its functions (cuMemAlloc is
// cuMemAlloc_v2): the renaming must happen to the member and to the looked-up symbol alike.
// clang-format off
#define NEREID_CUDA_DRIVER_FUNCTIONS(X)                                                            \
  X(cuInit)                                                                                        \
  X(cuDriverGetVersion)                                                                            \
  X(cuGetErrorName)                                                                                \
  X(cuGetErrorString) X(cuDeviceGetCount) X(cuDeviceGet) X(cuDeviceGetName)                        \
      X(cuDeviceGetAttribute) X(cuDeviceGetUuid) X(cuDeviceTotalMem) X(cuDevicePrimaryCtxRetain)   \
          X(cuDevicePrimaryCtxRelease) \
              X(cuCtxSetCurrent) X(cuCtxGetCurrent) X(cuCtxSynchronize)                            \
              X(cuMemGetInfo) X(cuMemAlloc) X(cuMemFree) X(cuMemHostAlloc) X(cuMemFreeHost)        \
                  X(cuMemHostGetDevicePointer) X(cuMemcpyHtoDAsync) X(cuMemcpyDtoHAsync) X(        \
                      cuMemcpyDtoDAsync) X(cuMemcpyAsync) X(cuMemcpyPeerAsync) X(cuMemsetD8Async)  \
                      X(cuMemsetD32Async) X(cuStreamCreateWithPriority) X(cuStreamDestroy) X(      \
                          cuStreamSynchronize) X(cuStreamQuery) X(cuStreamWaitEvent)               \
                          X(cuStreamBeginCapture) X(cuStreamEndCapture) X(cuStreamIsCapturing) X(  \
                              cuEventCreate) X(cuEventDestroy) X(cuEventRecord) X(cuEventQuery)    \
                              X(cuEventSynchronize) X(cuEventElapsedTime) X(cuGraphInstantiate)    \
                                  X(cuGraphDestroy) X(cuGraphExecDestroy) X(cuGraphLaunch)         \
                                      X(cuGraphUpload) X(cuGraphGetNodes) X(cuModuleLoadData)      \
                                          X(cuModuleUnload) X(cuModuleGetFunction)                 \
                                              X(cuModuleGetGlobal) X(cuFuncSetAttribute)           \
                                                  X(cuFuncGetAttribute) X(                         \
                                                      cuOccupancyMaxActiveBlocksPerMultiprocessor) \
                                                      X(cuLaunchKernel) X(cuTensorMapEncodeTiled) X(cuTensorMapEncodeIm2col) X(cuLaunchKernelEx)        \
                                                          X(cuPointerGetAttribute)                 \
                                                              X(cuIpcOpenMemHandle)                \
                                                                  X(cuIpcCloseMemHandle)

#define NEREID_NVRTC_FUNCTIONS(X)                                                               \
  X(nvrtcVersion)                                                                               \
  X(nvrtcGetErrorString)                                                                        \
  X(nvrtcCreateProgram)                                                                         \
  X(nvrtcDestroyProgram) X(nvrtcCompileProgram) X(nvrtcGetProgramLogSize) X(nvrtcGetProgramLog) \
      X(nvrtcGetCUBINSize) X(nvrtcGetCUBIN) X(nvrtcGetPTXSize) X(nvrtcGetPTX)

#define NEREID_CUBLASLT_FUNCTIONS(X)                                                               \
  X(cublasLtCreate)                                                                                \
  X(cublasLtDestroy)                                                                               \
  X(cublasLtGetVersion)                                                                            \
  X(cublasLtGetStatusName) X(cublasLtMatmul) X(cublasLtMatmulDescCreate)                           \
      X(cublasLtMatmulDescDestroy) X(cublasLtMatmulDescSetAttribute) X(cublasLtMatrixLayoutCreate) \
          X(cublasLtMatrixLayoutDestroy) X(cublasLtMatrixLayoutSetAttribute)                       \
              X(cublasLtMatmulPreferenceCreate) X(cublasLtMatmulPreferenceDestroy)                 \
                  X(cublasLtMatmulPreferenceSetAttribute) X(cublasLtMatmulAlgoGetHeuristic)        \
                  X(cublasLtMatmulAlgoCheck)

#define NEREID_CUDNN_FUNCTIONS(X)                                                              \
  X(cudnnCreate)                                                                               \
  X(cudnnDestroy)                                                                              \
  X(cudnnSetStream)                                                                            \
  X(cudnnGetVersion) X(cudnnGetErrorString) X(cudnnBackendCreateDescriptor)                    \
      X(cudnnBackendDestroyDescriptor) X(cudnnBackendSetAttribute) X(cudnnBackendGetAttribute) \
          X(cudnnBackendFinalize) X(cudnnBackendExecute)
// clang-format on

namespace nereid::engine {

#define NEREID_DECLARE_MEMBER(name) decltype(&::name) name = nullptr;
struct CudaApi {
  NEREID_CUDA_DRIVER_FUNCTIONS(NEREID_DECLARE_MEMBER)
};
struct NvrtcApi {
  NEREID_NVRTC_FUNCTIONS(NEREID_DECLARE_MEMBER)
};
struct CublasLtApi {
  NEREID_CUBLASLT_FUNCTIONS(NEREID_DECLARE_MEMBER)
};
struct CudnnApi {
  NEREID_CUDNN_FUNCTIONS(NEREID_DECLARE_MEMBER)
};
#undef NEREID_DECLARE_MEMBER

// Each opens its library on the first call and keeps it open; later calls return the same table or
// the same error. LD_LIBRARY_PATH and the system's folders are searched before /usr/local/cuda, or
// the folder that memory/gpu_library.h names.
// UNAVAILABLE when the library is not there or lacks a function. Any thread.
//
// LoadCuda() also initialises the driver: UNAVAILABLE "no CUDA device" when there is no GPU.
absl::StatusOr<const CudaApi*> LoadCuda();
absl::StatusOr<const NvrtcApi*> LoadNvrtc();
absl::StatusOr<const CublasLtApi*> LoadCublasLt();
absl::StatusOr<const CudnnApi*> LoadCudnn();

// OK, or an error that names the call and the library's code: RESOURCE_EXHAUSTED when memory is
// out, UNAVAILABLE when the device is gone or has failed for good, else INTERNAL.
absl::Status CudaStatus(CUresult result, const char* call);
// Whether the context in which it was returned cannot be used any more.
bool IsFatal(CUresult result);
absl::Status NvrtcStatus(nvrtcResult result, const char* call);
absl::Status CublasLtStatus(cublasStatus_t result, const char* call);
absl::Status CudnnStatus(cudnnStatus_t result, const char* call);

}  // namespace nereid::engine
