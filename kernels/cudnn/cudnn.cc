#include "kernels/cudnn/cudnn.h"

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/cudnn/plan.h"

namespace nereid::engine {

absl::StatusOr<Cudnn*> Cudnn::Of(Context& context) {
  if (context.offline()) return absl::UnavailableError("no CUDA device");
  const auto make = [&]() -> absl::StatusOr<std::unique_ptr<ContextResource>> {
    NEREID_ASSIGN_OR_RETURN(const CudnnApi* api, LoadCudnn());
    std::unique_ptr<Cudnn> made(new Cudnn(context, api));
    NEREID_RETURN_IF_ERROR(made->Open());
    return made;
  };
  NEREID_ASSIGN_OR_RETURN(ContextResource * resource, context.Resource("cuDNN", make));
  return static_cast<Cudnn*>(resource);
}

Cudnn::Cudnn(const Context& context, const CudnnApi* api)
    : context_(context), api_(api), name_(StrCat("cuDNN ", api->cudnnGetVersion())) {}

absl::Status Cudnn::Open() { return CudnnStatus(api_->cudnnCreate(&handle_), "cudnnCreate"); }

// In a lost context the handle is left as it is: destroying it works on the GPU, where every call
// fails.
Cudnn::~Cudnn() {
  plans_.SetLimit(0);
  if (context_.lost()) return;
  if (handle_ != nullptr) api_->cudnnDestroy(handle_);
}

absl::Status Cudnn::Execute(const CudnnDescriptor& plan, const CudnnDescriptor& pack,
                            DeviceStream stream) const {
  const std::lock_guard lock(mutex_);
  NEREID_RETURN_IF_ERROR(
      CudnnStatus(api_->cudnnSetStream(handle_, static_cast<CUstream>(stream)), "cudnnSetStream"));
  return CudnnStatus(api_->cudnnBackendExecute(handle_, plan.get(), pack.get()),
                     "cudnnBackendExecute");
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
