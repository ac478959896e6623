#pragma once

#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/stream.h"
#include "backends/cuda/exec/host_step.h"
#include "backends/cuda/exec/program.h"
#include "backends/cuda/exec/segment.h"

namespace nereid::engine {

// Runs programs of one engine, one after the other: a stream, an arena, scratch memory, and
// captured graphs for programs that were run before: one for each run of device steps between steps
// on the host. One thread, with the context bound.
class Executor {
 public:
  struct Options {
    bool capture_graphs = true;
    size_t max_graphs = 32;  // programs that are kept ready
    // What captured graphs may take on the device; the programs unused longest lose theirs.
    size_t max_graph_memory_bytes = size_t{256} << 20;
  };
  static absl::StatusOr<std::unique_ptr<Executor>> Create(std::shared_ptr<Context> context,
                                                          const Options& options);
  ~Executor();

  // Makes room for the program; its addresses hold until the next Bind(). Cheap for the program
  // that was bound last.
  absl::Status Bind(std::shared_ptr<const Program> program);

  // Of the bound program. The memory is free to be written, or read, between runs.
  DevicePointer input(size_t i) const { return At(program().inputs()[i].address); }
  DevicePointer output(size_t i) const { return At(program().outputs()[i].address); }
  // What stands for them where an input or output is on the host only (ProgramTensor::slot): an
  // input stays until the next one, an output until the next run.
  void SetHostInput(size_t i, HostTensor tensor);
  const HostTensor& host_output(size_t i) const {
    return slots_[static_cast<size_t>(program().outputs()[i].slot)];
  }
  const Program& program() const { return *bound_->program; }
  bool is_bound() const { return bound_ != nullptr; }
  const Stream& stream() const { return *stream_; }

  // Queues the bound program on the stream: step by step the first time, later by its graphs.
  // Waits only where steps run on the host.
  absl::Status Run();
  // The same, step by step always.
  absl::Status RunEagerly();
  // Whether the last run failed over what tensors hold, in an operator on the host: the executor is
  // as good as before then.
  bool refused_data() const { return refused_data_; }
  // Milliseconds of each step of the bound program, measured one by one over `rounds` runs.
  absl::StatusOr<std::vector<float>> Profile(int rounds);

  // Whether the bound program has graphs, and how many.
  bool has_graph() const { return graph_count() > 0; }
  int graph_count() const;
  // Of the arena and scratch memory.
  size_t arena_bytes() const { return arena_.taken() + workspace_.taken(); }
  // Of all graphs, as segment.h measures them.
  size_t graph_bytes() const;
  // Of those of the bound program.
  size_t bound_graph_bytes() const { return bound_ == nullptr ? 0 : bound_->graph_bytes(); }
  size_t memory_bytes() const { return arena_bytes() + graph_bytes(); }

 private:
  // A program with its addresses in this executor's arena.
  struct Binding {
    std::shared_ptr<const Program> program;
    std::vector<std::vector<DevicePointer>> inputs;   // by step
    std::vector<std::vector<DevicePointer>> outputs;  // by step
    std::vector<Segment> segments;
    bool has_run = false;
    bool can_capture = true;
    int evictions = 0;

    size_t graph_bytes() const;
    void DropGraphs();
  };

  Executor(std::shared_ptr<Context> context, std::unique_ptr<Stream> stream, const Options& options)
      : context_(std::move(context)), options_(options), stream_(std::move(stream)) {}

  DevicePointer At(const Address& address) const { return address.In(arena_.address()); }
  absl::Status Grow(const PlanBytes& bytes);
  absl::Status GrowTo(size_t byte_size, DeviceMemory& memory);
  void Resolve(Binding& binding) const;
  absl::Status RunStep(const Binding& binding, size_t i);
  absl::Status RunSteps(const Binding& binding, const Segment& segment);
  absl::Status RunSegment(Binding& binding, Segment& segment);
  absl::Status Capture(Binding& binding, Segment& segment);
  void KeepGraphsWithinLimit();
  absl::Status RunOnHost(const Binding& binding, size_t i);
  void BeginRun();

  const std::shared_ptr<Context> context_;
  const Options options_;
  const std::unique_ptr<Stream> stream_;
  DeviceMemory arena_;
  DeviceMemory workspace_;
  std::list<Binding> bindings_;  // most recently used first
  Binding* bound_ = nullptr;     // the first of them
  std::vector<HostTensor> host_inputs_;
  HostSlots slots_;
  bool refused_data_ = false;
};

}  // namespace nereid::engine
