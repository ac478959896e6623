#include "backends/cuda/exec/executor.h"

#include <algorithm>

#include "backends/cuda/device/event.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {

absl::StatusOr<std::unique_ptr<Executor>> Executor::Create(std::shared_ptr<Context> context,
                                                           const Options& options) {
  NEREID_RETURN_IF_ERROR(context->Bind());
  NEREID_ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream, Stream::Create(context));
  return std::unique_ptr<Executor>(new Executor(std::move(context), std::move(stream), options));
}

// Work in flight must not outlive the memory it uses.
Executor::~Executor() { static_cast<void>(stream_->Synchronize()); }

absl::Status Executor::Bind(std::shared_ptr<const Program> program) {
  if (bound_ != nullptr && bound_->program == program) return absl::OkStatus();
  bound_ = nullptr;
  NEREID_RETURN_IF_ERROR(Grow(program->bytes()));
  const auto found =
      std::ranges::find(bindings_, program, [](const Binding& b) { return b.program; });
  if (found != bindings_.end()) {
    bindings_.splice(bindings_.begin(), bindings_, found);
  } else {
    if (bindings_.size() >= options_.max_graphs) {
      NEREID_RETURN_IF_ERROR(stream_->Synchronize());
      bindings_.pop_back();
    }
    bindings_.emplace_front();
    bindings_.front().program = std::move(program);
    bindings_.front().segments = SegmentsOf(*bindings_.front().program);
    bindings_.front().can_capture = options_.capture_graphs;
    Resolve(bindings_.front());
  }
  bound_ = &bindings_.front();
  return absl::OkStatus();
}

// Addresses change with the arena, and graphs hold addresses.
absl::Status Executor::Grow(const PlanBytes& bytes) {
  if (bytes.arena <= arena_.size() && bytes.workspace <= workspace_.size()) {
    return absl::OkStatus();
  }
  NEREID_RETURN_IF_ERROR(stream_->Synchronize());
  for (Binding& binding : bindings_) binding.DropGraphs();
  const absl::Status grown = [&] {
    NEREID_RETURN_IF_ERROR(GrowTo(bytes.arena, arena_));
    return GrowTo(bytes.workspace, workspace_);
  }();
  for (Binding& binding : bindings_) Resolve(binding);
  return grown;
}

// The old block goes first, so that both need not fit; without a new one there is none.
absl::Status Executor::GrowTo(size_t byte_size, DeviceMemory& memory) {
  if (byte_size <= memory.size()) return absl::OkStatus();
  memory = DeviceMemory();
  NEREID_ASSIGN_OR_RETURN(memory, DeviceMemory::Allocate(context_, byte_size));
  return absl::OkStatus();
}

void Executor::Resolve(Binding& binding) const {
  binding.inputs.clear();
  binding.outputs.clear();
  for (const ProgramStep& step : binding.program->steps()) {
    std::vector<DevicePointer> inputs, outputs;
    for (const Address& address : step.inputs) inputs.push_back(At(address));
    for (const Address& address : step.outputs) outputs.push_back(At(address));
    binding.inputs.push_back(std::move(inputs));
    binding.outputs.push_back(std::move(outputs));
  }
}

absl::Status Executor::RunStep(const Binding& binding, size_t i) {
  const ProgramStep& step = binding.program->steps()[i];
  if (step.op == nullptr) return RunOnHost(binding, i);
  const absl::Status status = step.op->Launch(binding.inputs[i], binding.outputs[i],
                                              workspace_.address(), stream_->handle());
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      StrCat(KindOf(step.spec), " '", step.name, "': ", Message(status)));
}

absl::Status Executor::RunOnHost(const Binding& binding, size_t i) {
  const Graph& graph = binding.program->graph();
  const auto& spec = std::get<HostSpec>(binding.program->steps()[i].spec);
  NEREID_RETURN_IF_ERROR(FetchOperands(graph, spec, binding.inputs[i], *stream_, slots_));
  absl::Status evaluated = Evaluate(graph, spec, slots_);
  refused_data_ = !evaluated.ok();
  if (refused_data_) return evaluated;
  return SendResults(spec, binding.outputs[i], *stream_, slots_);
}

void Executor::SetHostInput(size_t i, HostTensor tensor) {
  host_inputs_.resize(program().inputs().size());
  host_inputs_[i] = std::move(tensor);
}

void Executor::BeginRun() {
  refused_data_ = false;
  slots_.assign(static_cast<size_t>(program().slot_count()), HostTensor());
  for (size_t i = 0; i < host_inputs_.size() && i < program().inputs().size(); ++i) {
    const int slot = program().inputs()[i].slot;
    if (slot >= 0) slots_[static_cast<size_t>(slot)] = host_inputs_[i];
  }
}

absl::Status Executor::RunSteps(const Binding& binding, const Segment& segment) {
  for (size_t i = segment.begin; i < segment.end; ++i) {
    NEREID_RETURN_IF_ERROR(RunStep(binding, i));
    const auto* host = std::get_if<HostSpec>(&binding.program->steps()[i].spec);
    if (host == nullptr) continue;
    for (const int slot : host->last_used) slots_[static_cast<size_t>(slot)] = HostTensor();
  }
  return absl::OkStatus();
}

absl::Status Executor::RunEagerly() {
  BeginRun();
  for (const Segment& segment : bound_->segments) {
    NEREID_RETURN_IF_ERROR(RunSteps(*bound_, segment));
  }
  bound_->has_run = true;
  return absl::OkStatus();
}

absl::Status Executor::Run() {
  Binding& binding = *bound_;
  if (!binding.has_run || !binding.can_capture) return RunEagerly();
  BeginRun();
  for (Segment& segment : binding.segments) {
    NEREID_RETURN_IF_ERROR(RunSegment(binding, segment));
  }
  return absl::OkStatus();
}

absl::Status Executor::RunSegment(Binding& binding, Segment& segment) {
  if (segment.graph == nullptr && segment.worth_capturing && binding.can_capture) {
    NEREID_RETURN_IF_ERROR(Capture(binding, segment));
  }
  if (segment.graph != nullptr) return segment.graph->Launch(stream_->handle());
  return RunSteps(binding, segment);
}

// A program that cannot be captured runs without.
absl::Status Executor::Capture(Binding& binding, Segment& segment) {
  NEREID_ASSIGN_OR_RETURN(const size_t before, context_->FreeBytes());
  auto graph = CapturedGraph::Capture(*stream_, [&] { return RunSteps(binding, segment); });
  if (!graph.ok()) {
    NLOG(Warning) << "a program runs without a graph: " << graph.status().message();
    binding.can_capture = false;
    return absl::OkStatus();
  }
  segment.graph = *std::move(graph);
  NEREID_ASSIGN_OR_RETURN(const size_t after, context_->FreeBytes());
  segment.graph_bytes = GraphBytes(segment.graph->node_count(), before, after);
  KeepGraphsWithinLimit();
  return absl::OkStatus();
}

// Programs that lose their graphs again and again do without: capturing takes longer than it saves.
void Executor::KeepGraphsWithinLimit() {
  constexpr int kMostEvictions = 3;
  for (auto binding = bindings_.rbegin(); binding != bindings_.rend(); ++binding) {
    if (graph_bytes() <= options_.max_graph_memory_bytes) return;
    if (binding->graph_bytes() == 0) continue;
    binding->DropGraphs();
    const bool alone = &*binding == bound_;
    if (++binding->evictions < kMostEvictions && !alone) continue;
    binding->can_capture = false;
    NLOG(Warning) << "a program runs without a graph: "
                  << (alone ? "its own does" : "those of all programs do")
                  << " not fit the memory for graphs";
  }
}

int Executor::graph_count() const {
  if (bound_ == nullptr) return 0;
  return static_cast<int>(std::ranges::count_if(
      bound_->segments, [](const Segment& segment) { return segment.graph != nullptr; }));
}

size_t Executor::graph_bytes() const {
  size_t bytes = 0;
  for (const Binding& binding : bindings_) bytes += binding.graph_bytes();
  return bytes;
}

size_t Executor::Binding::graph_bytes() const {
  size_t bytes = 0;
  for (const Segment& segment : segments) bytes += segment.graph_bytes;
  return bytes;
}

// The driver keeps a graph in flight until it has run.
void Executor::Binding::DropGraphs() {
  for (Segment& segment : segments) {
    segment.graph.reset();
    segment.graph_bytes = 0;
  }
  has_run = false;
}

absl::StatusOr<std::vector<float>> Executor::Profile(int rounds) {
  std::vector<float> milliseconds(program().steps().size(), 0);
  NEREID_ASSIGN_OR_RETURN(const std::unique_ptr<Event> begin, Event::Create(context_, true));
  NEREID_ASSIGN_OR_RETURN(const std::unique_ptr<Event> end, Event::Create(context_, true));
  constexpr int kRepeats = 5;  // in a row, so that the launch itself does not count
  BeginRun();
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < milliseconds.size(); ++i) {
      const int repeats = program().steps()[i].op == nullptr ? 1 : kRepeats;
      NEREID_RETURN_IF_ERROR(RunStep(*bound_, i));
      NEREID_RETURN_IF_ERROR(begin->Record(stream_->handle()));
      for (int repeat = 0; repeat < repeats; ++repeat) {
        NEREID_RETURN_IF_ERROR(RunStep(*bound_, i));
      }
      NEREID_RETURN_IF_ERROR(end->Record(stream_->handle()));
      NEREID_RETURN_IF_ERROR(end->Synchronize());
      NEREID_ASSIGN_OR_RETURN(const float elapsed, end->MillisecondsSince(*begin));
      milliseconds[i] += elapsed / static_cast<float>(repeats * rounds);
    }
  }
  return milliseconds;
}

}  // namespace nereid::engine
