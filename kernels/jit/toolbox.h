#pragma once

#include <memory>

#include "backends/cuda/device/context.h"
#include "backends/cuda/device/stream.h"
#include "kernels/jit/jit.h"
#include "kernels/jit/tactics.h"

namespace nereid::engine {

class CublasLt;
class Cudnn;

// What factories of device work need, one for each engine: the kernel compiler, the libraries'
// handles (made on first use, shared by all engines on the GPU), and what races have found. Any
// thread; must outlive what it made.
class Toolbox {
 public:
  struct Options {
    // Where machine code and the winners of races are kept for later processes; nullptr: nowhere.
    std::shared_ptr<ArtifactStore> store;
    // Whether library calls with several implementations are timed on the GPU, or the library's
    // first suggestion is taken.
    bool race = true;
    int max_candidates = 8;
    size_t max_workspace_bytes = size_t{64} << 20;
    // Execution plans of cuDNN that are kept on a GPU for engines to come; those unused longest go.
    size_t max_kept_plans = 1024;
  };
  static absl::StatusOr<std::unique_ptr<Toolbox>> Create(std::shared_ptr<Context> context,
                                                         Options options);
  ~Toolbox();
  Toolbox(const Toolbox&) = delete;
  Toolbox& operator=(const Toolbox&) = delete;

  const std::shared_ptr<Context>& context() const { return context_; }
  const Options& options() const { return options_; }
  Jit& jit() { return *jit_; }
  Tactics& tactics() const { return *tactics_; }
  absl::StatusOr<CublasLt*> cublas_lt();
  absl::StatusOr<Cudnn*> cudnn();

 private:
  Toolbox(std::shared_ptr<Context> context, Options options);

  const std::shared_ptr<Context> context_;
  const Options options_;
  std::unique_ptr<Jit> jit_;
  std::unique_ptr<Tactics> tactics_;
};

}  // namespace nereid::engine
