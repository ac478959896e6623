#include "backends/cuda/device/cuda_api.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <string>
#include <system_error>
#include <type_traits>

#include "common/status_macros.h"
#include "common/strings.h"
#include "memory/gpu_library.h"

namespace nereid::engine {
namespace {

// The toolkit's folder, for machines whose loader does not search it.
constexpr const char* kFolders[] = {"", "/usr/local/cuda/lib64/"};

absl::StatusOr<void*> OpenLibrary(std::initializer_list<const char*> names) {
  std::string tried;
  for (const char* name : names) {
    for (const char* folder : kFolders) {
      const std::string path = *folder == '\0' ? GpuLibraryPath(name) : StrCat(folder, name);
      if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
    }
    StrAppend(&tried, tried.empty() ? "" : " or ", name);
  }
  return absl::UnavailableError(StrCat("cannot open ", tried));
}

struct Symbol {
  const char* name;
  void** slot;
};

absl::Status Resolve(void* library, std::initializer_list<Symbol> symbols) {
  for (const Symbol& symbol : symbols) {
    *symbol.slot = dlsym(library, symbol.name);
    if (*symbol.slot == nullptr) {
      return absl::UnavailableError(StrCat("the CUDA library lacks ", symbol.name));
    }
  }
  return absl::OkStatus();
}

#define NEREID_STRING(name) #name
#define NEREID_SYMBOL(name) {NEREID_STRING(name), reinterpret_cast<void**>(&api.name)},

template <typename Api>
using Resolver = absl::Status (*)(void*, Api&);

template <typename Api>
absl::StatusOr<const Api*> Open(std::initializer_list<const char*> names, Resolver<Api> resolve) {
  NEREID_ASSIGN_OR_RETURN(void* library, OpenLibrary(names));
  static Api api;
  NEREID_RETURN_IF_ERROR(resolve(library, api));
  return &api;
}

absl::StatusOr<const CudaApi*> OpenDriver() {
  auto opened = Open<CudaApi>({"libcuda.so.1"}, [](void* library, CudaApi& api) {
    return Resolve(library, {NEREID_CUDA_DRIVER_FUNCTIONS(NEREID_SYMBOL)});
  });
  if (!opened.ok()) {
    return absl::UnavailableError(StrCat("no CUDA device: ", Message(opened.status())));
  }
  const CUresult result = (*opened)->cuInit(0);
  int count = 0;
  if (result == CUDA_ERROR_NO_DEVICE ||
      (result == CUDA_SUCCESS && (*opened)->cuDeviceGetCount(&count) == CUDA_SUCCESS &&
       count == 0)) {
    return absl::UnavailableError("no CUDA device");
  }
  if (result != CUDA_SUCCESS) {
    return absl::UnavailableError(
        StrCat("no CUDA device: the driver does not start (code ", int{result}, ")"));
  }
  return opened;
}

// The compiler opens its built-in functions by their name alone, where the loader looks; a library
// of that name that is there already will do, and the right one lies beside the compiler.
void OpenBuiltins(const NvrtcApi& api) {
  int major = 0, minor = 0;
  Dl_info compiler{};
  if (api.nvrtcVersion(&major, &minor) != NVRTC_SUCCESS ||
      dladdr(reinterpret_cast<void*>(api.nvrtcVersion), &compiler) == 0) {
    return;
  }
  std::error_code error;
  const auto file = std::filesystem::canonical(compiler.dli_fname, error);
  if (error) return;
  const std::string name = StrCat("libnvrtc-builtins.so.", major, ".", minor);
  dlopen((file.parent_path() / name).c_str(), RTLD_NOW | RTLD_LOCAL);
}

}  // namespace

absl::StatusOr<const CudaApi*> LoadCuda() {
  static const auto& api = *new absl::StatusOr<const CudaApi*>(OpenDriver());
  return api;
}

absl::StatusOr<const NvrtcApi*> LoadNvrtc() {
  static const auto& api = *new absl::StatusOr<const NvrtcApi*>(
      Open<NvrtcApi>({"libnvrtc.so.13", "libnvrtc.so.12"}, [](void* library, NvrtcApi& api) {
        absl::Status status = Resolve(library, {NEREID_NVRTC_FUNCTIONS(NEREID_SYMBOL)});
        if (status.ok()) OpenBuiltins(api);
        return status;
      }));
  return api;
}

absl::StatusOr<const CublasLtApi*> LoadCublasLt() {
  static const auto& api = *new absl::StatusOr<const CublasLtApi*>(Open<CublasLtApi>(
      {"libcublasLt.so.13", "libcublasLt.so.12"}, [](void* library, CublasLtApi& api) {
        return Resolve(library, {NEREID_CUBLASLT_FUNCTIONS(NEREID_SYMBOL)});
      }));
  return api;
}

absl::StatusOr<const CudnnApi*> LoadCudnn() {
  static const auto& api = *new absl::StatusOr<const CudnnApi*>(
      Open<CudnnApi>({"libcudnn.so.9"}, [](void* library, CudnnApi& api) {
        return Resolve(library, {NEREID_CUDNN_FUNCTIONS(NEREID_SYMBOL)});
      }));
  return api;
}

bool IsFatal(CUresult result) {
  // After these every call in the context fails, whatever it is.
  constexpr CUresult kFatal[] = {
      CUDA_ERROR_DEINITIALIZED,
      CUDA_ERROR_NO_DEVICE,
      CUDA_ERROR_DEVICE_UNAVAILABLE,
      CUDA_ERROR_CONTEXT_IS_DESTROYED,
      CUDA_ERROR_ECC_UNCORRECTABLE,
      CUDA_ERROR_NVLINK_UNCORRECTABLE,
      CUDA_ERROR_CONTAINED,
      CUDA_ERROR_ILLEGAL_ADDRESS,
      CUDA_ERROR_LAUNCH_FAILED,
      CUDA_ERROR_LAUNCH_TIMEOUT,
      CUDA_ERROR_ASSERT,
      CUDA_ERROR_HARDWARE_STACK_ERROR,
      CUDA_ERROR_ILLEGAL_INSTRUCTION,
      CUDA_ERROR_MISALIGNED_ADDRESS,
      CUDA_ERROR_INVALID_ADDRESS_SPACE,
      CUDA_ERROR_INVALID_PC,
      CUDA_ERROR_TENSOR_MEMORY_LEAK,
      CUDA_ERROR_EXTERNAL_DEVICE,
      CUDA_ERROR_UNKNOWN,
  };
  return std::ranges::find(kFatal, result) != std::end(kFatal);
}

absl::Status CudaStatus(CUresult result, const char* call) {
  if (result == CUDA_SUCCESS) return absl::OkStatus();
  const char* name = nullptr;
  if (auto api = LoadCuda(); api.ok()) (*api)->cuGetErrorName(result, &name);
  const std::string text =
      name == nullptr ? StrCat(call, ": error ", int{result}) : StrCat(call, ": ", name);
  if (result == CUDA_ERROR_OUT_OF_MEMORY) return absl::ResourceExhaustedError(text);
  return IsFatal(result) ? absl::UnavailableError(text) : absl::InternalError(text);
}

absl::Status NvrtcStatus(nvrtcResult result, const char* call) {
  if (result == NVRTC_SUCCESS) return absl::OkStatus();
  auto api = LoadNvrtc();
  return absl::InternalError(
      StrCat(call, ": ", api.ok() ? (*api)->nvrtcGetErrorString(result) : "no NVRTC"));
}

absl::Status CublasLtStatus(cublasStatus_t result, const char* call) {
  if (result == CUBLAS_STATUS_SUCCESS) return absl::OkStatus();
  auto api = LoadCublasLt();
  const std::string text =
      StrCat(call, ": ", api.ok() ? (*api)->cublasLtGetStatusName(result) : "no cuBLASLt");
  if (result == CUBLAS_STATUS_NOT_SUPPORTED) return absl::UnimplementedError(text);
  return absl::InternalError(text);
}

absl::Status CudnnStatus(cudnnStatus_t result, const char* call) {
  if (result == CUDNN_STATUS_SUCCESS) return absl::OkStatus();
  auto api = LoadCudnn();
  const std::string text =
      StrCat(call, ": ", api.ok() ? (*api)->cudnnGetErrorString(result) : "no cuDNN");
  // The codes of "not supported" are a range of their own, from the base one on.
  if (result >= CUDNN_STATUS_NOT_SUPPORTED && result < CUDNN_STATUS_INTERNAL_ERROR) {
    return absl::UnimplementedError(text);
  }
  return absl::InternalError(text);
}

}  // namespace nereid::engine
