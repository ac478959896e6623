#include "backends/cuda/device/stream.h"

#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<std::unique_ptr<Stream>> Stream::Create(std::shared_ptr<Context> context,
                                                       int priority) {
  if (context->offline()) return absl::UnavailableError("no CUDA device");
  NEREID_RETURN_IF_ERROR(context->Bind());
  CUstream stream = nullptr;
  NEREID_RETURN_IF_ERROR(CudaStatus(
      context->api().cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, priority),
      "cuStreamCreateWithPriority"));
  return std::unique_ptr<Stream>(new Stream(std::move(context), stream));
}

Stream::~Stream() {
  (void)context_->Bind();
  context_->api().cuStreamDestroy(stream_);
}

absl::Status Stream::Synchronize() const {
  return CudaStatus(context_->api().cuStreamSynchronize(stream_), "cuStreamSynchronize");
}

absl::StatusOr<bool> Stream::Finished() const {
  const CUresult result = context_->api().cuStreamQuery(stream_);
  if (result == CUDA_ERROR_NOT_READY) return false;
  NEREID_RETURN_IF_ERROR(CudaStatus(result, "cuStreamQuery"));
  return true;
}

absl::Status Stream::CopyToDevice(DevicePointer to, const void* from, size_t bytes) const {
  if (bytes == 0) return absl::OkStatus();
  return CudaStatus(context_->api().cuMemcpyHtoDAsync(to, from, bytes, stream_),
                    "cuMemcpyHtoDAsync");
}

absl::Status Stream::CopyToHost(void* to, DevicePointer from, size_t bytes) const {
  if (bytes == 0) return absl::OkStatus();
  return CudaStatus(context_->api().cuMemcpyDtoHAsync(to, from, bytes, stream_),
                    "cuMemcpyDtoHAsync");
}

absl::Status Stream::CopyOnDevice(DevicePointer to, DevicePointer from, size_t bytes) const {
  if (bytes == 0) return absl::OkStatus();
  // Addresses are unique in the process: the driver sees by itself which GPUs they are on.
  return CudaStatus(context_->api().cuMemcpyAsync(to, from, bytes, stream_), "cuMemcpyAsync");
}

absl::Status Stream::Fill(DevicePointer to, uint8_t value, size_t bytes) const {
  if (bytes == 0) return absl::OkStatus();
  return CudaStatus(context_->api().cuMemsetD8Async(to, value, bytes, stream_), "cuMemsetD8Async");
}

}  // namespace nereid::engine
