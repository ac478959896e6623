#include "backends/cuda/cuda_memory.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "backends/cuda/cuda_model.h"
#include "backends/cuda/exec/engine_model.h"
#include "common/status_macros.h"
#include "config/instance_groups.h"
#include "memory/gpu_devices.h"
#include "proto/model_config.pb.h"

namespace nereid::cuda {
namespace {

// Instances on each GPU.
std::map<int, int> InstancesByDevice(const ModelConfig& config) {
  std::map<int, int> instances;
  for (const PlannedInstance& planned : PlanInstances(config.proto())) {
    if (planned.context.kind != InstanceKind::kCpu) ++instances[planned.context.device];
  }
  if (!instances.empty() || config.proto().instance_group_size() > 0) return instances;
  for (const GpuDevice& device : GpuDevices()) instances[device.ordinal] = 1;
  return instances;
}

// Adds programs up as an engine holds them: each weight once, the arena for the greatest.
class Sum {
 public:
  Sum(const engine::EngineModel& model, const engine::ProgramOptions& options)
      : model_(model), options_(options) {}

  absl::Status Add(const std::vector<Shape>& shapes) {
    NEREID_ASSIGN_OR_RETURN(engine::Graph graph, engine::OptimizeFor(model_, shapes));
    NEREID_RETURN_IF_ERROR(engine::Legalize(graph, options_.precision, constants_));
    NEREID_ASSIGN_OR_RETURN(engine::LoweredProgram program,
                            engine::LowerGraph(graph, engine::LoweringFor(options_)));
    for (const engine::BufferInfo& buffer : program.buffers) {
      if (buffer.kind != engine::BufferKind::kWeight) continue;
      const engine::WeightUse& use = program.weights[static_cast<size_t>(buffer.index)];
      const bool is_new =
          weights_.emplace(use.tensor.bytes(), use.tensor.element_count(), use.type, use.form)
              .second;
      if (is_new) bytes_.weights += buffer.byte_size;
    }
    const size_t arena = engine::PlanMemory(engine::LifetimesOf(program)).byte_size;
    bytes_.arena = std::max(bytes_.arena, arena);
    programs_.push_back(std::move(program));
    return absl::OkStatus();
  }

  const engine::PlanBytes& bytes() const { return bytes_; }

 private:
  const engine::EngineModel& model_;
  const engine::ProgramOptions& options_;
  engine::ConstantPool constants_;
  std::vector<engine::LoweredProgram> programs_;  // keep the constants, hence their addresses
  std::set<std::tuple<const void*, int64_t, DataType, engine::WeightForm>> weights_;
  engine::PlanBytes bytes_;
};

}  // namespace

absl::StatusOr<MemoryEstimate> EstimateModelMemory(const ModelConfig& config,
                                                   const std::string& path,
                                                   const CudaOptions& options) {
  NEREID_ASSIGN_OR_RETURN(const auto model, engine::EngineModel::Load(path));
  Sum sum(*model, options.engine.program);
  // What is not run at load, the first requests run.
  const auto warmup = std::max(options.warmup, CudaOptions::Warmup::kEnds);
  for (const auto& shapes : WarmupShapes(config, model->graph(), warmup)) {
    NEREID_RETURN_IF_ERROR(sum.Add(shapes));
  }
  engine::PlanBytes bytes = sum.bytes();
  if (bytes.arena == 0) bytes.weights = model->weight_bytes();
  MemoryEstimate estimate;
  for (const auto& [device, instances] : InstancesByDevice(config)) {
    estimate.items.push_back({{MemoryKind::kGpu, device},
                              bytes.weights + bytes.arena * static_cast<uint64_t>(instances)});
  }
  return estimate;
}

}  // namespace nereid::cuda
