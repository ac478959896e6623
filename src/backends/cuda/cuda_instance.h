#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/batch_responses.h"
#include "backend/gather.h"
#include "backends/cuda/cuda_model.h"
#include "backends/cuda/cuda_options.h"
#include "backends/cuda/device/pinned_memory.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/exec/executor.h"
#include "nereid/backend.h"

namespace nereid::cuda {

// Runs batches on one GPU: a batch is padded with zeros to the bucket that holds it, inputs go to
// the device through pinned memory (or from where they are, when that is GPU memory), and the rows
// of the requests come back.
class CudaInstance : public Instance {
 public:
  // `plan` outlives the instance.
  static absl::StatusOr<std::unique_ptr<CudaInstance>> Create(
      std::shared_ptr<engine::Engine> engine, const ModelPlan& plan,
      const engine::Executor::Options& options, int device);
  ~CudaInstance() override;

  // Makes the programs of batches whose shapes the configuration fixes, so that no request waits
  // for them.
  absl::Status WarmUp(const ModelConfig& config, CudaOptions::Warmup warmup);

  absl::Status Execute(Batch& batch) override;
  // False once the device has failed: nothing on it can be trusted then.
  bool Healthy() const override { return healthy_; }

 private:
  // Pinned memory that grows.
  struct Staging {
    engine::PinnedMemory memory;
    size_t used = 0;
  };

  CudaInstance(std::shared_ptr<engine::Engine> engine, std::unique_ptr<engine::Executor> executor,
               const ModelPlan& plan, int device)
      : engine_(std::move(engine)),
        plan_(plan),
        device_(device),
        executor_(std::move(executor)),
        scratch_(plan.input_names.size()) {}

  absl::Status Run(Batch& batch);
  absl::StatusOr<std::vector<Shape>> ShapesOf(const Batch& batch, int64_t bucket) const;
  absl::Status Feed(const Batch& batch);
  absl::Status FeedInput(const Batch& batch, size_t i);
  absl::Status FeedRows(engine::DevicePointer to, const Payload& data);
  absl::Status Fetch(Batch& batch, const BatchResponses& responses, int64_t bucket);
  absl::Status Answer(Batch& batch, BatchResponses& responses);
  absl::StatusOr<std::byte*> Stage(size_t byte_size);
  absl::Status Device(absl::Status status);

  const std::shared_ptr<engine::Engine> engine_;
  const ModelPlan& plan_;
  const int device_;
  const std::unique_ptr<engine::Executor> executor_;
  std::vector<Scratch> scratch_;
  Staging staging_;
  bool healthy_ = true;

  // Outputs of the batch in work.
  struct Fetched {
    size_t output;  // of the graph
    Shape shape;
    Buffer buffer;                      // of the response; without data: in `staged`
    const std::byte* staged = nullptr;  // nullptr: it is in the buffer already
    size_t byte_size = 0;
  };
  std::vector<Fetched> fetched_;
};

}  // namespace nereid::cuda
