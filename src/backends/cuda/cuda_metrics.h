#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "nereid/backend_metrics.h"

namespace nereid::cuda {

// Series that a model publishes (observability/backend_families.h). Without a maker of series
// nothing is published, and calls cost next to nothing. Any thread.
class CudaMetrics {
 public:
  explicit CudaMetrics(std::shared_ptr<BackendMetrics> maker);

  void AddHostSteps(int64_t count) const {
    if (count > 0 && host_steps_ != nullptr) host_steps_->Add(static_cast<double>(count));
  }

  // Of the model on one GPU.
  class OnDevice {
   public:
    OnDevice(const CudaMetrics& metrics, int device);
    void SetMemory(size_t bytes) const { Set(memory_, bytes); }
    void SetPinned(size_t bytes) const { Set(pinned_, bytes); }

   private:
    static void Set(const std::unique_ptr<MetricValue>& value, size_t bytes) {
      if (value != nullptr) value->Set(static_cast<double>(bytes));
    }
    std::unique_ptr<MetricValue> memory_;
    std::unique_ptr<MetricValue> pinned_;
  };
  // An execution after which an instance was given up.
  void AddFailure() const {
    if (failures_ != nullptr) failures_->Add(1);
  }

 private:
  const std::shared_ptr<BackendMetrics> maker_;
  std::unique_ptr<MetricValue> host_steps_;
  std::unique_ptr<MetricValue> failures_;
};

}  // namespace nereid::cuda
