#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backends/cuda/ir/graph.h"
#include "backends/cuda/lower/op_spec.h"
#include "backends/cuda/lower/placement.h"
#include "backends/cuda/lower/weight_form.h"

namespace nereid::engine {

// A weight as the device wants it: the constant, converted and rearranged.
struct WeightUse {
  HostTensor tensor;
  DataType type = DataType::kInvalid;
  WeightForm form;
};

enum class BufferKind : uint8_t { kActivation, kInput, kWeight };

struct BufferInfo {
  BufferKind kind = BufferKind::kActivation;
  int index = -1;  // kInput: which; kWeight: position in LoweredProgram::weights
  size_t byte_size = 0;
};

// Some bytes of a block; kNoBuffer is an operand left out.
struct Operand {
  BufferId buffer = kNoBuffer;
  int64_t byte_offset = 0;
};

struct LoweredStep {
  std::string name;           // of the first node, for messages and listings
  std::vector<NodeId> nodes;  // that it carries out; empty: a conversion
  OpSpec spec;
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;
};

// Slot of a tensor that never lies on the device (HostSpec), among them.
inline constexpr int kOnDevice = -1;

// A graph as device work, and work on the host, in order of execution.
struct LoweredProgram {
  std::vector<BufferInfo> buffers;
  std::vector<WeightUse> weights;
  std::vector<LoweredStep> steps;
  std::vector<Placement> inputs;   // parallel to the graph's inputs: dense, of the graph's types
  std::vector<Placement> outputs;  // the same for its outputs
  // Parallel to them: kOnDevice, or the slot of a tensor that is on the host only; its placement
  // says nothing then.
  std::vector<int> input_slots;
  std::vector<int> output_slots;
  int slot_count = 0;
};

}  // namespace nereid::engine
