#include "backends/cuda/cuda_memory.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "backends/cuda/exec/engine.h"
#include "backends/cuda/passes/shape_inference.h"
#include "common/status_macros.h"
#include "memory/gpu_devices.h"
#include "proto/model_config.pb.h"

namespace nereid::cuda {
namespace {

// Instances on each GPU.
std::map<int, int> InstancesByDevice(const ModelConfig& config) {
  std::map<int, int> instances;
  for (const auto& group : config.proto().instance_group()) {
    const int count = std::max(1, group.count());
    for (const int device : group.gpus()) instances[device] += count;
    if (group.gpus().empty()) {
      for (const GpuDevice& device : GpuDevices()) instances[device.ordinal] += count;
    }
  }
  if (instances.empty()) {
    for (const GpuDevice& device : GpuDevices()) instances[device.ordinal] = 1;
  }
  return instances;
}

// Input shapes of the greatest batch; nothing where an extent is open.
std::optional<std::vector<Shape>> GreatestShapes(const ModelConfig& config,
                                                 const engine::Graph& graph) {
  std::vector<Shape> shapes;
  for (const engine::ValueId id : graph.inputs) {
    const TensorSpec* spec = config.FindInput(graph.value(id).name);
    if (spec == nullptr) return std::nullopt;
    Shape shape = spec->backend_dims();
    if (config.max_batch_size() > 0) shape.insert(shape.begin(), config.max_batch_size());
    if (std::ranges::any_of(shape, [](int64_t n) { return n < 0; })) return std::nullopt;
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

}  // namespace

absl::StatusOr<MemoryEstimate> EstimateModelMemory(const ModelConfig& config,
                                                   const std::string& path,
                                                   const CudaOptions& options) {
  NEREID_ASSIGN_OR_RETURN(const auto model, engine::EngineModel::Load(path));
  engine::PlanBytes bytes{model->weight_bytes(), 0, 0};
  if (const auto shapes = GreatestShapes(config, model->graph())) {
    auto planned = engine::PlanWithoutDevice(*model, *shapes, options.engine.program);
    if (planned.ok()) bytes = *planned;
  }
  MemoryEstimate estimate;
  for (const auto& [device, instances] : InstancesByDevice(config)) {
    estimate.items.push_back(
        {{MemoryKind::kGpu, device},
         bytes.weights + (bytes.arena + bytes.workspace) * static_cast<uint64_t>(instances)});
  }
  return estimate;
}

}  // namespace nereid::cuda
