#include "backends/cuda/exec/program.h"

#include <algorithm>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using Ops = std::vector<std::unique_ptr<DeviceOp>>;

std::string NameOf(const Graph& graph, const LoweredStep& step) {
  if (step.nodes.empty()) return StrCat("a ", KindOf(step.spec), " between nodes");
  return Describe(graph.nodes[static_cast<size_t>(step.nodes.front())]);
}

absl::Status Refused(const Graph& graph, const LoweredStep& step, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(NameOf(graph, step), ": ", Message(status)));
}

// Makes the device work of every step. Nodes for which there is none are added to `on_host`.
absl::StatusOr<Ops> MakeOps(const Graph& graph, const LoweredProgram& program, Toolbox& toolbox,
                            std::set<NodeId>& on_host) {
  Ops ops;
  for (const LoweredStep& step : program.steps) {
    ops.emplace_back();
    if (RunsOnHost(step.spec)) continue;
    auto op = MakeOp(toolbox, step.spec);
    if (op.ok()) {
      ops.back() = *std::move(op);
    } else if (op.status().code() == absl::StatusCode::kUnimplemented && !step.nodes.empty()) {
      on_host.insert(step.nodes.begin(), step.nodes.end());
    } else {
      return Refused(graph, step, op.status());
    }
  }
  return ops;
}

absl::Status CheckStrict(const Graph& graph, const LoweredProgram& program) {
  for (const LoweredStep& step : program.steps) {
    if (!RunsOnHost(step.spec)) continue;
    return absl::UnimplementedError(
        StrCat(NameOf(graph, step), " has no device implementation, and the model is strict"));
  }
  return absl::OkStatus();
}

void WarnAboutHost(const Graph& graph, const LoweredProgram& program) {
  for (const LoweredStep& step : program.steps) {
    if (!RunsOnHost(step.spec)) continue;
    NLOG(Warning) << NameOf(graph, step)
                  << " has no device implementation: it runs on the host, slowly";
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Program>> Program::Create(Graph graph, Toolbox& toolbox,
                                                               WeightStore& weights,
                                                               ConstantPool& constants,
                                                               const ProgramOptions& options) {
  NEREID_RETURN_IF_ERROR(toolbox.context()->Bind());
  NEREID_RETURN_IF_ERROR(Legalize(graph, options.precision, constants));
  std::shared_ptr<Program> program(new Program());
  program->graph_ = std::move(graph);
  LoweringOptions lowering = LoweringFor(options);
  while (true) {
    NEREID_ASSIGN_OR_RETURN(LoweredProgram lowered, LowerGraph(program->graph_, lowering));
    const size_t known = lowering.on_host.size();
    NEREID_ASSIGN_OR_RETURN(Ops ops, MakeOps(program->graph_, lowered, toolbox, lowering.on_host));
    if (lowering.on_host.size() > known) continue;
    if (options.strict) NEREID_RETURN_IF_ERROR(CheckStrict(program->graph_, lowered));
    WarnAboutHost(program->graph_, lowered);
    NEREID_RETURN_IF_ERROR(program->Fill(std::move(lowered), std::move(ops), weights));
    return std::shared_ptr<const Program>(std::move(program));
  }
}

absl::Status Program::Fill(LoweredProgram lowered, Ops ops, WeightStore& weights) {
  const MemoryPlan plan = PlanMemory(LifetimesOf(lowered));
  bytes_.arena = plan.byte_size;
  for (const WeightUse& use : lowered.weights) {
    NEREID_ASSIGN_OR_RETURN(auto memory, weights.Get(use));
    bytes_.weights += memory->size();
    weights_.push_back(std::move(memory));
  }
  const auto resolve = [&](const Operand& operand) -> Address {
    if (operand.buffer == kNoBuffer) return {};
    const auto buffer = static_cast<size_t>(operand.buffer);
    const BufferInfo& info = lowered.buffers[buffer];
    if (info.kind == BufferKind::kWeight) {
      return {weights_[static_cast<size_t>(info.index)]->address() +
                  static_cast<DevicePointer>(operand.byte_offset),
              -1};
    }
    return {0, static_cast<int64_t>(plan.offsets[buffer]) + operand.byte_offset};
  };
  for (size_t i = 0; i < lowered.steps.size(); ++i) {
    LoweredStep& from = lowered.steps[i];
    ProgramStep step{std::move(from.name), std::move(from.spec), std::move(ops[i]), {}, {}};
    for (const Operand& operand : from.inputs) step.inputs.push_back(resolve(operand));
    for (const Operand& operand : from.outputs) step.outputs.push_back(resolve(operand));
    if (step.op == nullptr) {
      ++host_step_count_;
    } else {
      kernel_count_ += step.op->kernel_count();
      bytes_.workspace = std::max(bytes_.workspace, step.op->workspace_bytes());
    }
    steps_.push_back(std::move(step));
  }
  const auto tensor = [&](const Placement& placement) {
    const auto size = static_cast<int64_t>(ElementByteSize(placement.type));
    return ProgramTensor{placement.type, placement.shape,
                         static_cast<size_t>(ElementsOf(placement.shape) * size),
                         resolve({placement.buffer, placement.offset * size})};
  };
  for (const Placement& input : lowered.inputs) inputs_.push_back(tensor(input));
  for (const Placement& output : lowered.outputs) outputs_.push_back(tensor(output));
  return absl::OkStatus();
}

}  // namespace nereid::engine
