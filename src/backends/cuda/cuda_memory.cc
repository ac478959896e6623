#include "backends/cuda/cuda_memory.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "backends/cuda/cuda_model.h"
#include "backends/cuda/device/context.h"
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

engine::GraphOptions GraphsOf(const CudaOptions& options) {
  return {options.executor.capture_graphs, options.executor.max_graph_memory_bytes};
}

// What is known of the model on that GPU; nothing on a machine without.
engine::MemoryRecord RecordFor(const engine::EngineModel& model, const CudaOptions& options,
                               int device) {
  const auto fingerprint = engine::DeviceFingerprint(device);
  if (!fingerprint.ok()) return {};
  engine::MemoryRecord record = NotesFor(model.path(), options, *fingerprint, nullptr).Read();
  if (record.shared > 0) return record;  // the plan's says no more, and takes the model's digest
  return NotesFor(model.path(), options, *fingerprint, engine::OpenPlans(model, options.engine))
      .Read();
}

}  // namespace

absl::StatusOr<MemoryEstimate> EstimateModelMemory(const ModelConfig& config,
                                                   const std::string& path,
                                                   const CudaOptions& options) {
  NEREID_ASSIGN_OR_RETURN(const auto model, engine::EngineModel::Load(path));
  // What is not run at load, requests run.
  const auto shapes = WarmupShapes(config, model->graph(), CudaOptions::Warmup::kAll);
  MemoryEstimate estimate;
  for (const auto& [device, instances] : InstancesByDevice(config)) {
    NEREID_ASSIGN_OR_RETURN(
        const engine::EngineMemory memory,
        engine::EstimateMemory(*model, shapes, options.engine, GraphsOf(options),
                               RecordFor(*model, options, device)));
    const auto count = static_cast<size_t>(instances);
    estimate.items.push_back({{MemoryKind::kGpu, device}, memory.device_bytes(count)});
    estimate.items.push_back({{MemoryKind::kPinned, device}, memory.staging * count});
  }
  return estimate;
}

engine::MemoryNotes NotesFor(const std::string& path, const CudaOptions& options,
                             const std::string& fingerprint,
                             std::shared_ptr<engine::PlanCache> plans) {
  return {{path, fingerprint, engine::MemoryOptionsText(options.engine, GraphsOf(options))},
          std::move(plans)};
}

void MemoryFindings::Note(const engine::Program& program, size_t graph_bytes) {
  const size_t shared = engine_.shared_bytes();
  const std::lock_guard lock(mutex_);
  const engine::MemoryRecord before = found_;
  found_.shared = std::max(found_.shared, shared);
  found_.Note(engine::ShapesKey(program), engine::MemoryOf(program, graph_bytes));
  if (found_ != before) notes_.Keep(Merged());
}

// With what other loads have found about programs that this one has not run.
engine::MemoryRecord MemoryFindings::Merged() const {
  engine::MemoryRecord record = notes_.Read();
  record.shared = std::max(record.shared, found_.shared);
  for (const auto& [shapes, memory] : found_.programs) record.Note(shapes, memory);
  return record;
}

void MemoryFindings::Write(engine::MemoryRecord record) const {
  notes_.KeepInPlan(record);
  if (engine_.plans() != nullptr) engine_.plans()->Save();
}

void MemoryFindings::Save() {
  engine::MemoryRecord record;
  {
    const std::lock_guard lock(mutex_);
    if (found_.programs.empty()) return;
    record = Merged();
  }
  Write(std::move(record));
}

// Machine code of candidates that lose a race counts in the load that has raced them only.
MemoryFindings::~MemoryFindings() {
  if (found_.programs.empty()) return;
  engine::MemoryRecord record = Merged();
  record.shared = found_.shared;
  Write(std::move(record));
}

}  // namespace nereid::cuda
