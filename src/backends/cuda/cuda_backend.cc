#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/cuda/cuda_memory.h"
#include "backends/cuda/cuda_model.h"
#include "backends/cuda/device/cuda_loss.h"
#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/onnx/importer.h"
#include "common/status_macros.h"
#include "config/complete.h"
#include "config/graph_completion.h"
#include "nereid/backend.h"
#include "proto/model_config.pb.h"

namespace nereid::cuda {
namespace {

// Serves ONNX files on NVIDIA GPUs with the engine of this folder.
class CudaBackend : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<CudaBackend>> Create(const BackendContext& context) {
    NEREID_ASSIGN_OR_RETURN(const int default_size, DefaultMaxBatchSize(context.settings));
    if (context.needs_new_process) engine::WhenCudaIsLost(context.needs_new_process);
    return std::unique_ptr<CudaBackend>(new CudaBackend(context.settings, default_size));
  }

  absl::StatusOr<ConfigProposal> CompleteConfig(const ModelContext& context) override {
    const inference::ModelConfig& config = context.config->proto();
    if (!NeedsCompletion(config)) return ConfigProposal{};
    NEREID_ASSIGN_OR_RETURN(const std::string path, FindModelFile(context));
    NEREID_ASSIGN_OR_RETURN(const engine::ImportedModel model, engine::ImportOnnx(path));
    const bool batches = config.max_batch_size() > 0 || !engine::LosesBatch(*model.graph);
    return CompleteFromGraph(config, DescribeGraph(*model.graph),
                             batches ? default_max_batch_size_ : 0);
  }

  absl::StatusOr<MemoryEstimate> EstimateMemory(const ModelContext& context) override {
    NEREID_ASSIGN_OR_RETURN(const CudaOptions options, ReadOptions(*context.config, settings_));
    NEREID_ASSIGN_OR_RETURN(const std::string path, FindModelFile(context));
    return EstimateModelMemory(*context.config, path, options);
  }

  absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelContext& context) override {
    return CudaModel::Load(context, settings_);
  }

  bool SupportsGpu() const override { return true; }
  std::vector<PreferredGroup> PreferredGroups() const override { return {{InstanceKind::kGpu, 1}}; }

 private:
  CudaBackend(BackendSettings settings, int default_max_batch_size)
      : settings_(std::move(settings)), default_max_batch_size_(default_max_batch_size) {}

  const BackendSettings settings_;
  const int default_max_batch_size_;
};

}  // namespace
}  // namespace nereid::cuda

NEREID_BACKEND_MODULE(nereid::cuda::CudaBackend)
