#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/exec/memory_record.h"

namespace nereid::engine {

// What a model takes, in bytes: `shared` once on each GPU, the rest for each instance there.
struct EngineMemory {
  size_t shared = 0;     // weights, machine code
  size_t arena = 0;      // activations, and scratch memory of the largest step
  size_t graphs = 0;     // of all programs
  size_t staging = 0;    // page-locked memory of the host
  bool measured = true;  // all of it is what earlier loads took

  size_t device_bytes(size_t instances) const { return shared + instances * (arena + graphs); }
};

// What of the memory depends on how instances run programs.
struct GraphOptions {
  bool capture = true;
  size_t max_bytes = size_t{256} << 20;
};

// Everything the memory depends on besides the model, the shapes and the GPU, in words.
std::string MemoryOptionsText(const EngineOptions& options, const GraphOptions& graphs);

// Room in an instance's staging memory for a tensor of so many bytes, and for all inputs and
// outputs of a program.
size_t StagingRoom(size_t bytes);
size_t StagingRoom(const Program& program);

// What an instance that runs the program takes; `graph_bytes` as its executor has measured them.
ProgramMemory MemoryOf(const Program& program, size_t graph_bytes);
std::string ShapesKey(const Program& program);

// What programs for these input shapes will take, no GPU being involved: as `record` says where it
// knows all of them; else they are planned. Exact for weights, arenas and staging memory then;
// scratch memory, machine code and graphs, unless the record knows them, are guessed by what steps
// and their kernels take on average. Without shapes it is all that the record says, or the weights
// as the file has them.
absl::StatusOr<EngineMemory> EstimateMemory(const EngineModel& model,
                                            const std::vector<std::vector<Shape>>& shape_sets,
                                            const EngineOptions& options,
                                            const GraphOptions& graphs, const MemoryRecord& record);

}  // namespace nereid::engine
