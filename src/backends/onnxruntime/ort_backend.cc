#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/onnxruntime/ort_environment.h"
#include "backends/onnxruntime/ort_model.h"
#include "backends/onnxruntime/ort_session.h"
#include "backends/onnxruntime/ort_status.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "config/complete.h"
#include "config/graph_completion.h"
#include "nereid/backend.h"

namespace nereid::ort {
namespace {

// Serves ONNX files on the CPU.
class OrtBackend : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<OrtBackend>> Create(const BackendContext& context) {
    NEREID_ASSIGN_OR_RETURN(auto environment, Environment::Create(context.settings));
    NEREID_ASSIGN_OR_RETURN(int default_size, DefaultMaxBatchSize(context.settings));
    return std::unique_ptr<OrtBackend>(new OrtBackend(std::move(environment), default_size));
  }

  absl::StatusOr<ConfigProposal> CompleteConfig(const ModelContext& context) override {
    const inference::ModelConfig& config = context.config->proto();
    if (!NeedsCompletion(config)) return ConfigProposal{};
    NEREID_ASSIGN_OR_RETURN(GraphDescription graph, Inspect(context));
    return CompleteFromGraph(config, graph, default_max_batch_size_);
  }

  // The file holds the weights, and they are what takes the memory.
  absl::StatusOr<MemoryEstimate> EstimateMemory(const ModelContext& context) override {
    NEREID_ASSIGN_OR_RETURN(std::string path, FindModelFile(context));
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    if (error) return MemoryEstimate{};
    return MemoryEstimate{{{MemoryPlace{}, bytes}}};
  }

  absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelContext& context) override {
    if (std::ranges::find(context.instance_kinds, InstanceKind::kGpu) !=
        context.instance_kinds.end()) {
      return absl::InvalidArgumentError(
          StrCat("model '", context.config->name(),
                 "' has an instance group of KIND_GPU, but the onnxruntime backend runs on CPUs "
                 "only; use KIND_CPU, or backend \"cuda\""));
    }
    return OrtModel::Load(environment_, context);
  }

  std::vector<PreferredGroup> PreferredGroups() const override { return {{InstanceKind::kCpu, 0}}; }

 private:
  OrtBackend(std::shared_ptr<const Environment> environment, int default_max_batch_size)
      : environment_(std::move(environment)), default_max_batch_size_(default_max_batch_size) {}

  // Opens the graph as cheaply as possible, only to look at its outside.
  absl::StatusOr<GraphDescription> Inspect(const ModelContext& context) const {
    NEREID_ASSIGN_OR_RETURN(std::string path, FindModelFile(context));
    std::shared_ptr<Session> session;
    NEREID_RETURN_IF_ERROR(CatchOrt([&]() -> absl::Status {
      Ort::SessionOptions options;
      options.SetLogId(context.config->name().c_str());
      options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);
      options.AddConfigEntry("session.disable_prepacking", "1");
      options.SetIntraOpNumThreads(1);
      NEREID_ASSIGN_OR_RETURN(session, OpenSession(environment_, path, options));
      return absl::OkStatus();
    }));
    return DescribeGraph(*session);
  }

  const std::shared_ptr<const Environment> environment_;
  const int default_max_batch_size_;
};

}  // namespace
}  // namespace nereid::ort

NEREID_BACKEND_MODULE(nereid::ort::OrtBackend)
