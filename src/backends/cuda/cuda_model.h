#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/batch_responses.h"
#include "backends/cuda/cuda_engine.h"
#include "backends/cuda/cuda_metrics.h"
#include "backends/cuda/cuda_options.h"
#include "backends/cuda/exec/engine_model.h"
#include "config/graph.h"
#include "nereid/backend.h"

namespace nereid::cuda {

// The model file of a version: its folder and the configured, or usual, name.
absl::StatusOr<std::string> FindModelFile(const ModelContext& context);

// The outside of a graph as configurations see it.
GraphDescription DescribeGraph(const engine::Graph& graph);

// Input shapes (parallel to the graph's inputs) of the batches that are run at load, the greatest
// first, so that memory is taken once. None where the configuration leaves extents open.
std::vector<std::vector<Shape>> WarmupShapes(const ModelConfig& config, const engine::Graph& graph,
                                             CudaOptions::Warmup warmup);

// The configured output that each output of the graph is; nullptr where it is left out.
struct ModelPlan {
  bool model_batches = false;
  int64_t max_batch_size = 0;
  std::vector<std::string> input_names;    // parallel to the graph's inputs
  std::vector<const TensorSpec*> outputs;  // parallel to the graph's outputs
  ScatterRules scatter;
};

// One version of an ONNX model: read once, with one engine for each GPU that has instances.
class CudaModel : public Model {
 public:
  static absl::StatusOr<std::unique_ptr<CudaModel>> Load(const ModelContext& context,
                                                         const BackendSettings& settings);

  absl::StatusOr<std::unique_ptr<Instance>> CreateInstance(const InstanceContext& context) override;
  MemoryEstimate MemoryUsage() const override;

 private:
  explicit CudaModel(std::shared_ptr<BackendMetrics> metrics) : metrics_(std::move(metrics)) {}
  absl::StatusOr<std::shared_ptr<CudaEngine>> EngineOn(int device);

  const CudaMetrics metrics_;
  std::shared_ptr<const ModelConfig> config_;
  std::shared_ptr<const engine::EngineModel> model_;
  CudaOptions options_;
  ModelPlan plan_;
  mutable std::mutex mutex_;
  // Gone with the last instance on the device, so that its memory is free then.
  std::map<int, std::weak_ptr<CudaEngine>> engines_;  // by device; guarded by mutex_
};

}  // namespace nereid::cuda
