#include "backends/cuda/cuda_metrics.h"

#include <utility>

#include "common/strings.h"
#include "observability/backend_families.h"

namespace nereid::cuda {

CudaMetrics::CudaMetrics(std::shared_ptr<BackendMetrics> maker) : maker_(std::move(maker)) {
  if (maker_ == nullptr) return;
  host_steps_ = maker_->Make(kCudaHostSteps.spec, {});
  failures_ = maker_->Make(kCudaFailures.spec, {});
}

CudaMetrics::OnDevice::OnDevice(const CudaMetrics& metrics, int device) {
  if (metrics.maker_ == nullptr) return;
  const BackendMetrics::Labels labels = {{"gpu", StrCat(device)}};
  memory_ = metrics.maker_->Make(kCudaMemory.spec, labels);
  pinned_ = metrics.maker_->Make(kCudaPinnedMemory.spec, labels);
}

}  // namespace nereid::cuda
