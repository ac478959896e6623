#include "kernels/gemm/cublas_lt.h"

#include <memory>

#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<CublasLt*> CublasLt::Of(Context& context) {
  if (context.offline()) return absl::UnavailableError("no CUDA device");
  const auto make = [&]() -> absl::StatusOr<std::unique_ptr<ContextResource>> {
    NEREID_ASSIGN_OR_RETURN(const CublasLtApi* api, LoadCublasLt());
    cublasLtHandle_t handle = nullptr;
    NEREID_RETURN_IF_ERROR(CublasLtStatus(api->cublasLtCreate(&handle), "cublasLtCreate"));
    return std::unique_ptr<ContextResource>(new CublasLt(context, api, handle));
  };
  NEREID_ASSIGN_OR_RETURN(ContextResource * resource, context.Resource("cuBLASLt", make));
  return static_cast<CublasLt*>(resource);
}

// In a lost context the handle is left as it is.
CublasLt::~CublasLt() {
  if (!context_.lost()) api_->cublasLtDestroy(handle_);
}

}  // namespace nereid::engine
