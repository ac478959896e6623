#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "backends/cuda/cuda_memory.h"
#include "backends/cuda/cuda_metrics.h"
#include "backends/cuda/exec/engine.h"

namespace nereid::cuda {

// What the instances of a model on one GPU share: the engine, and the count of the memory they
// take. Gone with the last of them. Any thread.
class CudaEngine {
 public:
  CudaEngine(std::unique_ptr<engine::Engine> engine, const CudaMetrics& metrics, int device,
             engine::MemoryNotes notes)
      : engine_(std::move(engine)),
        metrics_(metrics, device),
        device_(device),
        findings_(*engine_, std::move(notes)) {}

  engine::Engine& operator*() const { return *engine_; }
  engine::Engine* operator->() const { return engine_.get(); }
  int device() const { return device_; }
  bool lost() const { return engine_->context()->lost(); }

  // In use on the GPU: weights, machine code, arenas, scratch memory and graphs.
  size_t memory_bytes() const { return engine_->memory_bytes(); }
  // Of host memory, page-locked.
  size_t pinned_bytes() const { return pinned_bytes_; }
  // What estimates of later loads will say.
  MemoryFindings& findings() { return findings_; }

 private:
  friend class InstanceMemory;
  const std::unique_ptr<engine::Engine> engine_;
  const CudaMetrics::OnDevice metrics_;
  const int device_;
  std::atomic<size_t> pinned_bytes_{0};
  MemoryFindings findings_;
};

// The part of one instance in these counts; given back with it. One thread.
class InstanceMemory {
 public:
  explicit InstanceMemory(std::shared_ptr<CudaEngine> engine) : engine_(std::move(engine)) {}
  ~InstanceMemory() { Report(0, 0); }
  InstanceMemory(const InstanceMemory&) = delete;
  InstanceMemory& operator=(const InstanceMemory&) = delete;

  // What the instance takes now.
  void Report(size_t device_bytes, size_t pinned_bytes) {
    // Unsigned arithmetic wraps: differences may be negative.
    engine_->engine_->executor_bytes()->fetch_add(device_bytes - device_bytes_);
    engine_->pinned_bytes_.fetch_add(pinned_bytes - pinned_bytes_);
    device_bytes_ = device_bytes;
    pinned_bytes_ = pinned_bytes;
    engine_->metrics_.SetMemory(engine_->memory_bytes());
    engine_->metrics_.SetPinned(engine_->pinned_bytes());
  }

 private:
  const std::shared_ptr<CudaEngine> engine_;
  size_t device_bytes_ = 0;
  size_t pinned_bytes_ = 0;
};

}  // namespace nereid::cuda
