#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/exec/engine_model.h"
#include "backends/cuda/exec/program.h"

namespace nereid::engine {

struct EngineOptions {
  ProgramOptions program;
  Toolbox::Options toolbox;
  // How many programs (one for each set of input shapes) are kept; the one unused longest goes.
  size_t max_programs = 32;
};

// A model on one GPU: its weights there, and programs for the shapes it has met. Any thread.
class Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(std::shared_ptr<const EngineModel> model,
                                                        int device, EngineOptions options);

  const EngineModel& model() const { return *model_; }
  const std::shared_ptr<Context>& context() const { return toolbox_->context(); }
  // The program for these input shapes (parallel to the graph's inputs), made now when there is
  // none yet: that takes from milliseconds to seconds. One is made at a time.
  absl::StatusOr<std::shared_ptr<const Program>> ProgramFor(absl::Span<const Shape> shapes);
  // In use by weights, and by the executors that report to it.
  size_t memory_bytes() const { return weights_->byte_size() + executor_bytes_->load(); }
  const std::shared_ptr<std::atomic<size_t>>& executor_bytes() const { return executor_bytes_; }

 private:
  using Key = std::vector<Shape>;
  struct Entry {
    std::shared_ptr<const Program> program;
    std::list<Key>::iterator age;
  };

  Engine(std::shared_ptr<const EngineModel> model, EngineOptions options);
  std::shared_ptr<const Program> Find(const Key& key);
  void Keep(const Key& key, std::shared_ptr<const Program> program);

  const std::shared_ptr<const EngineModel> model_;
  const EngineOptions options_;
  std::unique_ptr<Toolbox> toolbox_;
  std::unique_ptr<WeightStore> weights_;
  ConstantPool constants_;
  const std::shared_ptr<std::atomic<size_t>> executor_bytes_ =
      std::make_shared<std::atomic<size_t>>(0);
  std::mutex building_;  // held while a program is made
  std::mutex mutex_;     // guards what follows
  std::map<Key, Entry> programs_;
  std::list<Key> ages_;  // most recently used first
};

}  // namespace nereid::engine
