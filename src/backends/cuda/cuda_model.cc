#include "backends/cuda/cuda_model.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "backends/cuda/cuda_instance.h"
#include "backends/cuda/device/context.h"
#include "backends/cuda/device/cuda_api.h"
#include "backends/cuda/exec/buckets.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "config/graph_agreement.h"
#include "proto/model_config.pb.h"

namespace nereid::cuda {
namespace {

constexpr char kDefaultFile[] = "model.onnx";

std::vector<GraphTensor> Describe(const engine::Graph& graph,
                                  const std::vector<engine::ValueId>& ids,
                                  const std::vector<std::vector<engine::DeclaredDim>>& dims) {
  std::vector<GraphTensor> tensors;
  for (size_t i = 0; i < ids.size(); ++i) {
    const engine::Value& value = graph.value(ids[i]);
    GraphTensor tensor{value.name, value.type, {}};
    for (const engine::DeclaredDim& dim : dims[i]) {
      tensor.dims.push_back(dim.value < 0 ? -1 : dim.value);
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

ModelPlan MakePlan(const ModelConfig& config, const engine::Graph& graph) {
  ModelPlan plan;
  plan.model_batches = config.max_batch_size() > 0;
  plan.max_batch_size = config.max_batch_size();
  plan.scatter = ScatterRules::For(config);
  for (const engine::ValueId id : graph.inputs) plan.input_names.push_back(graph.value(id).name);
  for (const engine::ValueId id : graph.outputs) {
    plan.outputs.push_back(config.FindOutput(graph.value(id).name));
  }
  return plan;
}

absl::Status CheckSupported(const ModelContext& context) {
  const ModelConfig& config = *context.config;
  if (std::ranges::find(context.instance_kinds, InstanceKind::kCpu) !=
      context.instance_kinds.end()) {
    return absl::InvalidArgumentError(
        StrCat("model '", config.name(),
               "' has an instance group of KIND_CPU, but the cuda backend runs on GPUs only; use "
               "KIND_GPU, or backend \"onnxruntime\""));
  }
  if (config.proto().batch_input_size() > 0 ||
      std::ranges::any_of(config.inputs(), &TensorSpec::allow_ragged_batch)) {
    return absl::UnimplementedError(
        StrCat("model '", config.name(), "': the cuda backend does not take ragged batches"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FindModelFile(const ModelContext& context) {
  namespace fs = std::filesystem;
  const std::string& configured = context.config->default_model_filename();
  fs::path path = fs::path(context.version_path) / (configured.empty() ? kDefaultFile : configured);
  std::error_code error;
  if (fs::is_directory(path, error)) path /= kDefaultFile;
  if (fs::is_regular_file(path, error)) return path.string();
  return absl::UnavailableError(
      StrCat("unable to find '", path.string(), "' for model '", context.config->name(), "'"));
}

GraphDescription DescribeGraph(const engine::Graph& graph) {
  return {Describe(graph, graph.inputs, graph.input_dims),
          Describe(graph, graph.outputs, graph.output_dims),
          {}};
}

std::vector<std::vector<Shape>> WarmupShapes(const ModelConfig& config, const engine::Graph& graph,
                                             CudaOptions::Warmup warmup) {
  if (warmup == CudaOptions::Warmup::kNone) return {};
  const bool batches = config.max_batch_size() > 0;
  std::vector<int64_t> buckets = {0};
  if (batches) {
    buckets = engine::BatchBuckets(config.max_batch_size());
    if (warmup == CudaOptions::Warmup::kEnds && buckets.size() > 2) {
      buckets = {buckets.front(), buckets.back()};
    }
    std::ranges::reverse(buckets);
  }
  std::vector<std::vector<Shape>> all;
  for (const int64_t bucket : buckets) {
    std::vector<Shape> shapes;
    for (const engine::ValueId id : graph.inputs) {
      const TensorSpec* spec = config.FindInput(graph.value(id).name);
      if (spec == nullptr) return {};
      Shape shape = spec->backend_dims();
      if (graph.value(id).shape && graph.value(id).shape->empty()) shape.clear();
      if (batches) shape.insert(shape.begin(), bucket);
      if (std::ranges::any_of(shape, [](int64_t n) { return n < 0; })) return {};
      shapes.push_back(std::move(shape));
    }
    all.push_back(std::move(shapes));
  }
  return all;
}

absl::StatusOr<std::unique_ptr<CudaModel>> CudaModel::Load(const ModelContext& context,
                                                           const BackendSettings& settings) {
  NEREID_RETURN_IF_ERROR(engine::LoadCuda().status());  // before complaints about instances
  NEREID_RETURN_IF_ERROR(CheckSupported(context));
  NEREID_ASSIGN_OR_RETURN(const std::string path, FindModelFile(context));
  std::unique_ptr<CudaModel> model(new CudaModel(context.metrics));
  model->config_ = context.config;
  NEREID_ASSIGN_OR_RETURN(model->options_, ReadOptions(*context.config, settings));
  NEREID_ASSIGN_OR_RETURN(model->model_, engine::EngineModel::Load(path));
  NEREID_RETURN_IF_ERROR(
      CheckGraphAgreement(context.config->proto(), DescribeGraph(model->model_->graph())));
  NEREID_RETURN_IF_ERROR(engine::CheckOperators(*model->model_, model->options_.engine.program));
  model->plan_ = MakePlan(*context.config, model->model_->graph());
  return model;
}

absl::StatusOr<std::shared_ptr<CudaEngine>> CudaModel::EngineOn(int device) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<CudaEngine>& known = engines_[device];
  if (auto engine = known.lock()) return engine;
  NEREID_ASSIGN_OR_RETURN(std::unique_ptr<engine::Engine> made,
                          engine::Engine::Create(model_, device, options_.engine));
  engine::MemoryNotes notes =
      NotesFor(model_->path(), options_, made->context()->fingerprint(), made->plans());
  auto engine = std::make_shared<CudaEngine>(std::move(made), metrics_, device, std::move(notes));
  known = engine;
  return engine;
}

absl::StatusOr<std::unique_ptr<Instance>> CudaModel::CreateInstance(
    const InstanceContext& context) {
  if (context.kind == InstanceKind::kCpu) {
    return absl::InvalidArgumentError(StrCat(
        "instance '", context.name, "' is KIND_CPU, but the cuda backend runs on GPUs only"));
  }
  const auto named = [&](absl::Status status) {
    // Whatever has failed: is it for good?
    static_cast<void>(engine::Context::Create(context.device));
    if (engine::IsCudaLost()) status = engine::CudaLost();
    return absl::Status(status.code(), StrCat("instance '", context.name, "' on GPU ",
                                              context.device, ": ", Message(status)));
  };
  if (engine::IsCudaLost()) return named(engine::CudaLost());
  auto engine = EngineOn(context.device);
  if (!engine.ok()) return named(engine.status());
  auto instance = CudaInstance::Create(*std::move(engine), plan_, metrics_, options_.executor);
  if (!instance.ok()) return named(instance.status());
  const absl::Status warm = (*instance)->WarmUp(*config_, options_.warmup);
  if (!warm.ok()) return named(warm);
  return *std::move(instance);
}

MemoryEstimate CudaModel::MemoryUsage() const {
  std::vector<std::shared_ptr<CudaEngine>> engines;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [device, known] : engines_) {
      if (auto engine = known.lock()) engines.push_back(std::move(engine));
    }
  }
  MemoryEstimate usage;
  for (const auto& engine : engines) {
    usage.items.push_back({{MemoryKind::kGpu, engine->device()}, engine->memory_bytes()});
    usage.items.push_back({{MemoryKind::kPinned, engine->device()}, engine->pinned_bytes()});
  }
  return usage;
}

}  // namespace nereid::cuda
