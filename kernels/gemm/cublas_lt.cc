#include "kernels/gemm/cublas_lt.h"

#include <utility>

#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<std::unique_ptr<CublasLt>> CublasLt::Create(std::shared_ptr<Context> context) {
  if (context->offline()) return absl::UnavailableError("no CUDA device");
  NEREID_ASSIGN_OR_RETURN(const CublasLtApi* api, LoadCublasLt());
  NEREID_RETURN_IF_ERROR(context->Bind());
  cublasLtHandle_t handle = nullptr;
  NEREID_RETURN_IF_ERROR(CublasLtStatus(api->cublasLtCreate(&handle), "cublasLtCreate"));
  return std::unique_ptr<CublasLt>(new CublasLt(std::move(context), api, handle));
}

CublasLt::~CublasLt() {
  (void)context_->Bind();
  api_->cublasLtDestroy(handle_);
}

}  // namespace nereid::engine
