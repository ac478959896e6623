#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/device_op.h"
#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/exec/weight_store.h"
#include "backends/cuda/lower/legalize.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/lower/on_host.h"

namespace nereid::engine {

// Where an operand lies: at an absolute address (weights), or so far into the arena of the instance
// that runs the program. Left out: neither.
struct Address {
  DevicePointer absolute = 0;
  int64_t arena_offset = -1;

  DevicePointer In(DevicePointer arena) const {
    return arena_offset < 0 ? absolute : arena + static_cast<DevicePointer>(arena_offset);
  }
};

struct ProgramStep {
  std::string name;  // of the node it begins with; empty: a conversion
  OpSpec spec;
  std::unique_ptr<DeviceOp> op;  // nullptr: runs on the host
  std::vector<Address> inputs;
  std::vector<Address> outputs;
};

// One input or output: dense. One whose extents depend on data, or that holds strings, is on the
// host only: it has a slot there (lower/op_spec.h), and for an output no shape before a run.
struct ProgramTensor {
  DataType type = DataType::kInvalid;
  Shape shape;
  size_t byte_size = 0;
  Address address;
  int slot = kOnDevice;
};

// Compiles what the races for a program of `graph` (as for Program::Create) may want, for that to
// be made sooner. What goes wrong is left to it.
void CompileAhead(Graph graph, Toolbox& toolbox, ConstantPool& constants,
                  const ProgramOptions& options);

// A model for fixed input shapes, ready to run on one GPU: device work, weights, and a place for
// every value. Immutable; instances share it.
class Program {
 public:
  // `graph`: of known input shapes, not legalised. The toolbox and the store must outlive the
  // program.
  static absl::StatusOr<std::shared_ptr<const Program>> Create(Graph graph, Toolbox& toolbox,
                                                               WeightStore& weights,
                                                               ConstantPool& constants,
                                                               const ProgramOptions& options);

  const Graph& graph() const { return graph_; }
  const std::vector<ProgramStep>& steps() const { return steps_; }
  const std::vector<ProgramTensor>& inputs() const { return inputs_; }
  const std::vector<ProgramTensor>& outputs() const { return outputs_; }
  const PlanBytes& bytes() const { return bytes_; }
  int kernel_count() const { return kernel_count_; }
  // Steps that the reference executor runs: no graph is captured over them.
  int host_step_count() const { return host_step_count_; }
  // Of these, what had to be put there because of the values it works on. Rows that a batch is
  // padded with may change what such a program gives.
  const std::optional<HiddenWork>& hidden() const { return hidden_; }
  int slot_count() const { return slot_count_; }

 private:
  Program() = default;
  // Places everything; weights_ are there.
  void Fill(LoweredProgram lowered, std::vector<std::unique_ptr<DeviceOp>> ops);

  Graph graph_;
  std::vector<ProgramStep> steps_;
  std::vector<ProgramTensor> inputs_;
  std::vector<ProgramTensor> outputs_;
  std::vector<WeightStore::Block> weights_;
  PlanBytes bytes_;
  int kernel_count_ = 0;
  int host_step_count_ = 0;
  std::optional<HiddenWork> hidden_;
  int slot_count_ = 0;
};

}  // namespace nereid::engine
