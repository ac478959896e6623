#include "kernels/cudnn/cudnn.h"

#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<std::unique_ptr<Cudnn>> Cudnn::Create(std::shared_ptr<Context> context) {
  if (context->offline()) return absl::UnavailableError("no CUDA device");
  NEREID_ASSIGN_OR_RETURN(const CudnnApi* api, LoadCudnn());
  NEREID_RETURN_IF_ERROR(context->Bind());
  cudnnHandle_t handle = nullptr;
  NEREID_RETURN_IF_ERROR(CudnnStatus(api->cudnnCreate(&handle), "cudnnCreate"));
  return std::unique_ptr<Cudnn>(new Cudnn(std::move(context), api, handle));
}

Cudnn::~Cudnn() {
  (void)context_->Bind();
  api_->cudnnDestroy(handle_);
}

absl::StatusOr<CudnnDescriptor> CudnnDescriptor::Create(const CudnnApi& api,
                                                        cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t descriptor = nullptr;
  NEREID_RETURN_IF_ERROR(CudnnStatus(api.cudnnBackendCreateDescriptor(type, &descriptor),
                                     "cudnnBackendCreateDescriptor"));
  return CudnnDescriptor(&api, descriptor);
}

CudnnDescriptor::~CudnnDescriptor() {
  if (descriptor_ != nullptr) api_->cudnnBackendDestroyDescriptor(descriptor_);
}

absl::Status CudnnDescriptor::Set(cudnnBackendAttributeName_t name,
                                  cudnnBackendAttributeType_t type, int64_t count,
                                  const void* values) {
  return CudnnStatus(api_->cudnnBackendSetAttribute(descriptor_, name, type, count, values),
                     "cudnnBackendSetAttribute");
}

absl::Status CudnnDescriptor::Finalize() {
  return CudnnStatus(api_->cudnnBackendFinalize(descriptor_), "cudnnBackendFinalize");
}

absl::StatusOr<int64_t> CudnnDescriptor::GetInt(cudnnBackendAttributeName_t name) const {
  int64_t value = 0, count = 0;
  NEREID_RETURN_IF_ERROR(CudnnStatus(
      api_->cudnnBackendGetAttribute(descriptor_, name, CUDNN_TYPE_INT64, 1, &count, &value),
      "cudnnBackendGetAttribute"));
  return value;
}

}  // namespace nereid::engine
