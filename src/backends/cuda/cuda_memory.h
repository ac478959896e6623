#pragma once

#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "backends/cuda/cuda_options.h"
#include "backends/cuda/exec/memory_estimate.h"
#include "backends/cuda/exec/memory_record.h"
#include "nereid/memory_estimate.h"
#include "nereid/model_config.h"

namespace nereid::cuda {

// What a model will take on each of its GPUs, and of page-locked memory for it: weights and machine
// code once, an arena, scratch memory, graphs and staging memory for each instance, once all
// batches have been run. It is what an earlier load took, where this process has seen one or the
// model has a plan (exec/memory_record.h); otherwise what exec/memory_estimate.h makes of the model
// without a GPU. Where the configuration leaves extents open, it is the shapes of an earlier load;
// without one only the weights are known, as the file has them.
absl::StatusOr<MemoryEstimate> EstimateModelMemory(const ModelConfig& config,
                                                   const std::string& path,
                                                   const CudaOptions& options);

// Where findings about a model on a GPU are kept.
engine::MemoryNotes NotesFor(const std::string& path, const CudaOptions& options,
                             const std::string& fingerprint,
                             std::shared_ptr<engine::PlanCache> plans);

// Collects what a model on one GPU turns out to take. Any thread.
class MemoryFindings {
 public:
  // `engine` outlives this.
  MemoryFindings(const engine::Engine& engine, engine::MemoryNotes notes)
      : engine_(engine), notes_(std::move(notes)) {}
  // What was found last goes to the plan.
  ~MemoryFindings();
  MemoryFindings(const MemoryFindings&) = delete;
  MemoryFindings& operator=(const MemoryFindings&) = delete;

  // An instance has run the program, and has graphs of so many bytes for it; told again when that
  // changes.
  void Note(const engine::Program& program, size_t graph_bytes);
  // Brings what was found so far to the plan: later processes need not wait for the end of this
  // one.
  void Save();

 private:
  engine::MemoryRecord Merged() const;
  void Write(engine::MemoryRecord record) const;

  const engine::Engine& engine_;
  const engine::MemoryNotes notes_;
  std::mutex mutex_;
  engine::MemoryRecord found_;  // by this engine; guarded by mutex_
};

}  // namespace nereid::cuda
