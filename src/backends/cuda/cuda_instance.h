#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/batch_responses.h"
#include "backends/cuda/cuda_engine.h"
#include "backends/cuda/cuda_metrics.h"
#include "backends/cuda/cuda_model.h"
#include "backends/cuda/cuda_options.h"
#include "backends/cuda/device/pinned_memory.h"
#include "backends/cuda/exec/executor.h"
#include "nereid/backend.h"

namespace nereid::cuda {

// Runs batches on one GPU, on a stream of its own: while one instance computes, another may copy. A
// batch is padded with zeros to the bucket that holds it, unless extents in the model depend on
// data: the zeros could change them. Tensors in GPU memory, and large ones in
// pinned memory, are copied from and to where they are; the rest goes through pinned memory of the
// instance, each input and output in as few copies as overlap with filling it.
class CudaInstance : public Instance {
 public:
  // `plan` and `metrics` outlive the instance.
  static absl::StatusOr<std::unique_ptr<CudaInstance>> Create(
      std::shared_ptr<CudaEngine> engine, const ModelPlan& plan, const CudaMetrics& metrics,
      const engine::Executor::Options& options);
  ~CudaInstance() override;

  // Makes the programs of batches whose shapes the configuration fixes, so that no request waits
  // for them.
  absl::Status WarmUp(const ModelConfig& config, CudaOptions::Warmup warmup);

  absl::Status Execute(Batch& batch) override;
  // False once a call of CUDA has failed here (memory shortage apart), or somebody else has found
  // the GPU lost: nothing of the instance can be trusted then.
  bool Healthy() const override { return healthy_ && !engine_->lost(); }

 private:
  // Bytes of an output that lie in `staging_` on their way to a buffer in host memory.
  struct Delivery {
    const std::byte* staged = nullptr;
    Buffer buffer;
  };

  CudaInstance(std::shared_ptr<CudaEngine> engine, std::unique_ptr<engine::Executor> executor,
               const ModelPlan& plan, const CudaMetrics& metrics)
      : engine_(std::move(engine)),
        plan_(plan),
        metrics_(metrics),
        executor_(std::move(executor)),
        memory_(engine_) {}

  absl::Status RunEmptyBatches(const ModelConfig& config, CudaOptions::Warmup warmup);
  absl::Status Run(Batch& batch, BatchResponses& responses);
  absl::StatusOr<std::vector<Shape>> ShapesOf(const Batch& batch, int64_t bucket) const;
  absl::Status Bind(const std::vector<Shape>& shapes);
  absl::StatusOr<int64_t> BindFor(const Batch& batch);
  absl::Status Compute();
  absl::Status ReserveStaging();
  absl::Status Feed(const Batch& batch);
  absl::Status FeedInput(const Batch& batch, size_t i);
  absl::Status FeedDirectly(engine::DevicePointer to, const Payload& data);
  absl::Status Fetch(const Batch& batch, BatchResponses& responses, int64_t bucket);
  absl::Status FetchOutput(size_t i, const BatchResponses::Slices& slices);
  absl::Status FeedHostInput(const Batch& batch, size_t i);
  absl::Status FetchHostOutput(const TensorSpec& spec, const engine::HostTensor& tensor,
                               BatchResponses& responses);
  absl::StatusOr<std::byte*> Stage(size_t byte_size);
  absl::Status Device(absl::Status status);
  absl::Status Given(absl::Status status);
  absl::Status Settle(absl::Status status);
  void ReportMemory();

  const std::shared_ptr<CudaEngine> engine_;
  const ModelPlan& plan_;
  const CudaMetrics& metrics_;
  const std::unique_ptr<engine::Executor> executor_;
  engine::PinnedMemory staging_;
  size_t staged_ = 0;                 // bytes of it in use for the batch in work
  std::vector<Delivery> deliveries_;  // of the batch in work
  bool healthy_ = true;
  bool pads_ = true;  // until a program turns out not to take it

  // What was reported last, and for which state.
  InstanceMemory memory_;
  const engine::Program* reported_ = nullptr;
  bool reported_graph_ = false;
};

}  // namespace nereid::cuda
