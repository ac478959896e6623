#include "backends/cuda/exec/executor.h"

#include <algorithm>

#include "backends/cuda/device/event.h"
#include "backends/cuda/exec/host_step.h"
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
    bindings_.front().can_capture =
        options_.capture_graphs && bindings_.front().program->host_step_count() == 0;
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
  for (Binding& binding : bindings_) binding.graph.reset();
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

size_t Executor::memory_bytes() const {
  size_t bytes = arena_.size() + workspace_.size();
  for (const Binding& binding : bindings_) {
    if (binding.graph != nullptr) bytes += binding.graph->byte_size();
  }
  return bytes;
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
  const ProgramStep& step = binding.program->steps()[i];
  return RunHostStep(binding.program->graph(), std::get<HostSpec>(step.spec), binding.inputs[i],
                     binding.outputs[i], *stream_);
}

absl::Status Executor::RunEagerly() {
  for (size_t i = 0; i < program().steps().size(); ++i) {
    NEREID_RETURN_IF_ERROR(RunStep(*bound_, i));
  }
  bound_->has_run = true;
  return absl::OkStatus();
}

absl::Status Executor::Run() {
  Binding& binding = *bound_;
  if (binding.graph != nullptr) return binding.graph->Launch(stream_->handle());
  if (!binding.can_capture || !binding.has_run) return RunEagerly();
  auto graph = CapturedGraph::Capture(*stream_, [this] { return RunEagerly(); });
  if (!graph.ok()) {
    NLOG(Warning) << "a program runs without a graph: " << graph.status().message();
    binding.can_capture = false;
    return RunEagerly();
  }
  binding.graph = *std::move(graph);
  return binding.graph->Launch(stream_->handle());
}

absl::StatusOr<std::vector<float>> Executor::Profile(int rounds) {
  std::vector<float> milliseconds(program().steps().size(), 0);
  NEREID_ASSIGN_OR_RETURN(const std::unique_ptr<Event> begin, Event::Create(context_, true));
  NEREID_ASSIGN_OR_RETURN(const std::unique_ptr<Event> end, Event::Create(context_, true));
  constexpr int kRepeats = 5;  // in a row, so that the launch itself does not count
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
