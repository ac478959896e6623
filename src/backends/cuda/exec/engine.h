#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/exec/program.h"
#include "backends/cuda/plan/plan_cache.h"

namespace nereid::engine {

struct EngineOptions {
  ProgramOptions program;
  // Without a store: the engine's plan cache takes that place.
  Toolbox::Options toolbox;
  // A plan beside the model (<model file>.plan) is read, too.
  PlanCacheOptions plan_cache;
  // False: plans are neither read nor written.
  bool use_plans = true;
  // Above 0: the first program must give what it gives in fp32, on random inputs, up to this
  // relative difference of each output (exec/precision_guard.h).
  double max_difference = 0;
  // Whether a program that is missing is made while a larger one serves.
  bool background_programs = true;
  // How many programs (one for each set of input shapes) are kept; the one unused longest goes.
  size_t max_programs = 32;
};

// The plans that an engine of the model would use; nullptr when there is nowhere to read or write
// them: then the model is not read through for its digest either.
std::shared_ptr<PlanCache> OpenPlans(const EngineModel& model, const EngineOptions& options);

// A model on one GPU: its weights there, and programs for the shapes it has met. Any thread.
class Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(std::shared_ptr<const EngineModel> model,
                                                        int device, EngineOptions options);

  const EngineModel& model() const { return *model_; }
  const std::shared_ptr<Context>& context() const { return toolbox_->context(); }
  const EngineOptions& options() const { return options_; }
  // The program for these input shapes (parallel to the graph's inputs), made now when there is
  // none yet: that takes from milliseconds to seconds. One is made at a time.
  absl::StatusOr<std::shared_ptr<const Program>> ProgramFor(absl::Span<const Shape> shapes);
  // The same if it has been made, or nullptr.
  std::shared_ptr<const Program> Known(const std::vector<Shape>& shapes);
  // Programs for these sets of shapes will be asked for soon: kernels that their races may want are
  // compiled in the background. The first call counts: instances of a model warm up alike.
  void Expect(std::vector<std::vector<Shape>> programs);
  // A program that can run at once: the one of the first of `choices` (each as above; larger ones
  // that do as well come later) that is there. The first choice is then made in the background, one
  // at a time, for batches to come. When none is there, it is made now.
  absl::StatusOr<std::shared_ptr<const Program>> ProgramForOneOf(
      absl::Span<const std::vector<Shape>> choices);
  // The same with other options, not kept.
  absl::StatusOr<std::shared_ptr<const Program>> MakeProgram(absl::Span<const Shape> shapes,
                                                             const ProgramOptions& options);
  // Of a graph of known shapes.
  absl::StatusOr<std::shared_ptr<const Program>> MakeProgram(Graph graph,
                                                             const ProgramOptions& options);
  // nullptr when no plans are read or written.
  const std::shared_ptr<PlanCache>& plans() const { return plans_; }
  // In use on the GPU by weights and machine code, which all executors share.
  size_t shared_bytes() const { return weights_->byte_size() + toolbox_->jit().code_bytes(); }
  // That, and what executors that report to it take.
  size_t memory_bytes() const { return shared_bytes() + executor_bytes_->load(); }
  const std::shared_ptr<std::atomic<size_t>>& executor_bytes() const { return executor_bytes_; }

 private:
  using Key = std::vector<Shape>;
  struct Entry {
    std::shared_ptr<const Program> program;
    std::list<Key>::iterator age;
  };

  Engine(std::shared_ptr<const EngineModel> model, EngineOptions options);
  void Keep(const Key& key, std::shared_ptr<const Program> program);
  absl::Status Guard(absl::Span<const Shape> shapes);
  void WarnOnce(const Program& program);
  void MakeInBackground(const Key& key);

  const std::shared_ptr<const EngineModel> model_;
  const EngineOptions options_;
  std::shared_ptr<PlanCache> plans_;
  std::future<void> libraries_;  // being opened
  std::unique_ptr<Toolbox> toolbox_;
  std::unique_ptr<WeightStore> weights_;
  ConstantPool constants_;
  const std::shared_ptr<std::atomic<size_t>> executor_bytes_ =
      std::make_shared<std::atomic<size_t>>(0);
  std::mutex building_;   // held while a program is made
  bool guarded_ = false;  // guarded by building_
  bool warned_ = false;   // of work on the host; guarded by building_
  std::mutex mutex_;      // guards what follows
  std::map<Key, Entry> programs_;
  std::list<Key> ages_;   // most recently used first
  std::set<Key> failed_;  // to be made in the background
  // Waited for before anything of the above goes.
  std::future<void> background_;
  std::future<void> ahead_;
};

}  // namespace nereid::engine
