#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/onnx/mapped_file.h"
#include "backends/cuda/plan/memory_planner.h"

namespace nereid::engine {

// A model file, read and simplified as far as that needs no shapes. No GPU is involved. Immutable.
class EngineModel {
 public:
  static absl::StatusOr<std::shared_ptr<const EngineModel>> Load(const std::string& path);

  const Graph& graph() const { return *graph_; }
  const std::string& path() const { return path_; }
  // Of the weights as the file has them.
  size_t weight_bytes() const { return weight_bytes_; }
  // plan/model_digest.h of the model's files as they are mapped; reads all of them. Any thread.
  std::string Digest() const;

 private:
  std::string path_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::shared_ptr<Graph> graph_;
  size_t weight_bytes_ = 0;
};

// The model's graph for these input shapes (parallel to its inputs), simplified and fused.
absl::StatusOr<Graph> OptimizeFor(const EngineModel& model, absl::Span<const Shape> shapes);

// Whether the first extent of an output turns out to depend on data, or not to be that of the
// inputs, although the file leaves all of them open. As far as that can be told: false otherwise.
bool LosesBatch(const Graph& graph);

// Memory that a program takes on the GPU.
struct PlanBytes {
  size_t weights = 0;
  size_t arena = 0;      // activations, inputs and outputs: of each instance
  size_t workspace = 0;  // scratch of its largest step: of each instance
};

struct ProgramOptions {
  PrecisionOptions precision;
  // Refuse what the reference executor would have to run.
  bool strict = false;
};

// UNIMPLEMENTED, naming node and operator, for a model with a node that nothing can run; for strict
// options also when the host has to run one, whatever extents the inputs have. Known before these
// and a GPU are.
absl::Status CheckOperators(const EngineModel& model, const ProgramOptions& options);

// The memory a program for these shapes will take, planned without a GPU: scratch memory, which
// only the libraries know, is left out.
absl::StatusOr<PlanBytes> PlanWithoutDevice(const EngineModel& model,
                                            absl::Span<const Shape> shapes,
                                            const ProgramOptions& options);

LoweringOptions LoweringFor(const ProgramOptions& options);

// The lifetimes of a lowered program's activations and inputs, by buffer: weights have no bytes.
// What the program's outputs name lives to the end.
std::vector<BufferLifetime> LifetimesOf(const LoweredProgram& program);

}  // namespace nereid::engine
