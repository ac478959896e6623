#include "backends/cuda/exec/program.h"

#include <algorithm>
#include <functional>
#include <future>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "common/log.h"
#include "common/parallel_for.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using Ops = std::vector<std::unique_ptr<DeviceOp>>;

std::string NameOf(const Graph& graph, const LoweredStep& step) {
  if (step.nodes.empty()) return StrCat("a ", KindOf(step.spec), " between nodes");
  return Describe(WorkOf(graph, graph.nodes[static_cast<size_t>(step.nodes.front())]).node);
}

absl::Status Refused(const Graph& graph, const LoweredStep& step, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(NameOf(graph, step), ": ", Message(status)));
}

// Implementations may be raced for it, which takes memory for operands.
bool MayRace(const OpSpec& spec) {
  return std::holds_alternative<ConvolutionSpec>(spec) ||
         std::holds_alternative<DepthwiseSpec>(spec) || std::holds_alternative<GemmSpec>(spec) ||
         std::holds_alternative<MatMulSpec>(spec);
}

// Steps in the order they are made: kernels; one of each kind of work that is raced; others of
// these kinds, which find what the first ones have found.
struct Order {
  std::vector<size_t> kernels, racers, followers;
};

Order OrderOf(const LoweredProgram& program) {
  Order order;
  std::set<std::string> raced;
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const OpSpec& spec = program.steps[i].spec;
    if (RunsOnHost(spec)) continue;
    if (!MayRace(spec)) {
      order.kernels.push_back(i);
    } else {
      const bool first = raced.insert(StrCat(KindOf(spec), " ", DescribeSpec(spec))).second;
      (first ? order.racers : order.followers).push_back(i);
    }
  }
  return order;
}

bool Races(const Toolbox& toolbox) {
  return toolbox.options().race && !toolbox.context()->offline();
}

// Compiles the kernels that the races may want.
void CompileCandidates(const LoweredProgram& program, const Order& order, Toolbox& toolbox) {
  if (!Races(toolbox)) return;
  std::set<CandidateKernel> distinct;
  for (const size_t i : order.racers) {
    for (CandidateKernel& kernel : CandidateKernels(*toolbox.context(), program.steps[i].spec)) {
      distinct.insert(std::move(kernel));
    }
  }
  const std::vector<CandidateKernel> kernels(distinct.begin(), distinct.end());
  ParallelFor(kernels.size(), [&](size_t i) {
    toolbox.jit().Get(kernels[i].source, kernels[i].name).status().IgnoreError();
  });
}

// Opens the libraries that steps call; an error comes again when one is asked for work.
void OpenLibraries(const LoweredProgram& program, Toolbox& toolbox) {
  const auto any = [&](auto is_used) { return std::ranges::any_of(program.steps, is_used); };
  if (any([](const LoweredStep& step) {
        return std::holds_alternative<ConvolutionSpec>(step.spec);
      })) {
    toolbox.cudnn().IgnoreError();
  }
  if (any([](const LoweredStep& step) {
        return std::holds_alternative<GemmSpec>(step.spec) ||
               std::holds_alternative<MatMulSpec>(step.spec);
      })) {
    toolbox.cublas_lt().IgnoreError();
  }
}

// The device work of every step; nullptr for those that run on the host. `meanwhile` is done
// besides.
std::vector<absl::StatusOr<std::unique_ptr<DeviceOp>>> TryOps(
    const LoweredProgram& program, Toolbox& toolbox, const std::function<void()>& meanwhile) {
  constexpr size_t kRacingThreads = 4;  // one races, the others compile and ask libraries
  std::vector<absl::StatusOr<std::unique_ptr<DeviceOp>>> ops(program.steps.size());
  for (auto& op : ops) op = std::unique_ptr<DeviceOp>();
  const auto make = [&](size_t i) {
    const absl::Status bound = toolbox.context()->Bind();
    if (bound.ok()) {
      ops[i] = MakeOp(toolbox, program.steps[i].spec);
    } else {
      ops[i] = bound;
    }
  };
  const Order order = OrderOf(program);
  // Compiling does not disturb races, and what would takes the gate.
  const auto other = std::async(std::launch::async, meanwhile);
  const auto ahead =
      std::async(std::launch::async, [&] { CompileCandidates(program, order, toolbox); });
  const auto kernels = std::async(std::launch::async, [&] {
    ParallelFor(order.kernels.size(), [&](size_t i) { make(order.kernels[i]); });
  });
  OpenLibraries(program, toolbox);
  for (const auto* steps : {&order.racers, &order.followers}) {
    ParallelFor(
        steps->size(), [&](size_t i) { make((*steps)[i]); }, kRacingThreads);
  }
  kernels.wait();
  other.wait();
  return ops;
}

// Makes the device work of every step, and does something else meanwhile. Nodes for which there is
// none are added to `on_host`.
absl::StatusOr<Ops> MakeOps(const Graph& graph, const LoweredProgram& program, Toolbox& toolbox,
                            const std::function<void()>& meanwhile, std::set<NodeId>& on_host) {
  auto tried = TryOps(program, toolbox, meanwhile);
  Ops ops;
  for (size_t i = 0; i < tried.size(); ++i) {
    const LoweredStep& step = program.steps[i];
    ops.emplace_back();
    if (tried[i].ok()) {
      ops.back() = *std::move(tried[i]);
    } else if (tried[i].status().code() == absl::StatusCode::kUnimplemented &&
               !step.nodes.empty()) {
      on_host.insert(step.nodes.begin(), step.nodes.end());
    } else {
      return Refused(graph, step, tried[i].status());
    }
  }
  return ops;
}

absl::Status CheckStrict(const Graph& graph, const LoweredProgram& program) {
  if (const auto hidden = FindHidden(graph)) return RefuseHidden(*hidden);
  for (const LoweredStep& step : program.steps) {
    if (!RunsOnHost(step.spec)) continue;
    return RefuseOnHost(NameOf(graph, step));
  }
  return absl::OkStatus();
}

void WarnAboutHost(const Graph& graph, const LoweredProgram& program) {
  for (const LoweredStep& step : program.steps) {
    if (!RunsOnHost(step.spec) ||
        IsHidden(graph.nodes[static_cast<size_t>(std::get<HostSpec>(step.spec).node)])) {
      continue;
    }
    NLOG(Warning) << NameOf(graph, step)
                  << " has no device implementation: it runs on the host, slowly";
  }
}

}  // namespace

void CompileAhead(Graph graph, Toolbox& toolbox, ConstantPool& constants,
                  const ProgramOptions& options) {
  if (!Races(toolbox) || !Legalize(graph, options.precision, constants).ok()) return;
  const absl::StatusOr<LoweredProgram> lowered = LowerGraph(graph, LoweringFor(options));
  if (lowered.ok()) CompileCandidates(*lowered, OrderOf(*lowered), toolbox);
}

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
    absl::StatusOr<std::vector<WeightStore::Block>> blocks;
    const auto upload = [&] { blocks = weights.Get(lowered.weights); };
    NEREID_ASSIGN_OR_RETURN(Ops ops,
                            MakeOps(program->graph_, lowered, toolbox, upload, lowering.on_host));
    if (lowering.on_host.size() > known) continue;
    if (options.strict) NEREID_RETURN_IF_ERROR(CheckStrict(program->graph_, lowered));
    WarnAboutHost(program->graph_, lowered);
    NEREID_ASSIGN_OR_RETURN(program->weights_, std::move(blocks));
    program->Fill(std::move(lowered), std::move(ops));
    return std::shared_ptr<const Program>(std::move(program));
  }
}

void Program::Fill(LoweredProgram lowered, Ops ops) {
  const MemoryPlan plan = PlanMemory(LifetimesOf(lowered));
  bytes_.arena = plan.byte_size;
  for (const auto& memory : weights_) bytes_.weights += memory->size();
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
  const auto tensor = [&](const Placement& placement, int slot) {
    const auto size =
        slot == kOnDevice ? static_cast<int64_t>(ElementByteSize(placement.type)) : int64_t{0};
    return ProgramTensor{placement.type, placement.shape,
                         static_cast<size_t>(ElementsOf(placement.shape) * size),
                         resolve({placement.buffer, placement.offset * size}), slot};
  };
  for (size_t i = 0; i < lowered.inputs.size(); ++i) {
    inputs_.push_back(tensor(lowered.inputs[i], lowered.input_slots[i]));
  }
  for (size_t i = 0; i < lowered.outputs.size(); ++i) {
    outputs_.push_back(tensor(lowered.outputs[i], lowered.output_slots[i]));
  }
  hidden_ = FindHidden(graph_);
  slot_count_ = lowered.slot_count;
}

}  // namespace nereid::engine
