#include "backends/cuda/device/event.h"

#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<std::unique_ptr<Event>> Event::Create(std::shared_ptr<Context> context,
                                                     bool timing) {
  if (context->offline()) return absl::UnavailableError("no CUDA device");
  NEREID_RETURN_IF_ERROR(context->Bind());
  CUevent event = nullptr;
  NEREID_RETURN_IF_ERROR(CudaStatus(
      context->api().cuEventCreate(&event, timing ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING),
      "cuEventCreate"));
  return std::unique_ptr<Event>(new Event(std::move(context), event));
}

Event::~Event() {
  (void)context_->Bind();
  context_->api().cuEventDestroy(event_);
}

absl::Status Event::Record(DeviceStream stream) const {
  return CudaStatus(context_->api().cuEventRecord(event_, static_cast<CUstream>(stream)),
                    "cuEventRecord");
}

absl::Status Event::MakeWait(DeviceStream stream) const {
  return CudaStatus(context_->api().cuStreamWaitEvent(static_cast<CUstream>(stream), event_, 0),
                    "cuStreamWaitEvent");
}

absl::Status Event::Synchronize() const {
  return CudaStatus(context_->api().cuEventSynchronize(event_), "cuEventSynchronize");
}

absl::StatusOr<bool> Event::Reached() const {
  const CUresult result = context_->api().cuEventQuery(event_);
  if (result == CUDA_ERROR_NOT_READY) return false;
  NEREID_RETURN_IF_ERROR(CudaStatus(result, "cuEventQuery"));
  return true;
}

absl::StatusOr<float> Event::MillisecondsSince(const Event& earlier) const {
  float milliseconds = 0;
  NEREID_RETURN_IF_ERROR(
      CudaStatus(context_->api().cuEventElapsedTime(&milliseconds, earlier.event_, event_),
                 "cuEventElapsedTime"));
  return milliseconds;
}

}  // namespace nereid::engine
