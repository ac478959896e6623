#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/exec/executor.h"
#include "nereid/backend.h"
#include "nereid/model_config.h"

namespace nereid::cuda {

// What a model's `parameters` ask of the engine:
//   precision             fp32, tf32, fp16 (default) or bf16
//   precision.<node>      the same for one node of the model, by its name
//   strict                true: refuse operators that would run on the host
//   background_programs   false: a batch waits for the program of its size, instead of being padded
//                         to a larger one's while it is made
//   graphs                false: launch kernel by kernel
//   tactics               race (default: time the candidates) or heuristic
//   max_workspace_bytes   of scratch memory that an implementation may ask for
//   max_programs          kept at a time, one for each set of input shapes
//   warmup_batches        none, ends (default: 1 and the greatest) or all: what is made at load
//   plan_cache            false: plans (plan/plan_cache.h) are neither read nor written
//   check_precision       0 (default: off), or the greatest relative difference to fp32 that is
//                         allowed: found at load on random inputs; a model beyond it is refused
struct CudaOptions {
  enum class Warmup : uint8_t { kNone, kEnds, kAll };

  engine::EngineOptions engine;
  engine::Executor::Options executor;
  Warmup warmup = Warmup::kEnds;
};

// INVALID_ARGUMENT, naming the parameter, for values that make no sense. Of the backend's settings,
// `plan-cache-directory` says where plans are kept (default: nowhere), `plan-cache-byte-size` how
// much room they may take there, and `max-kept-cudnn-plans` (default: 1024) how many execution
// plans of cuDNN are kept on each GPU for models to come.
absl::StatusOr<CudaOptions> ReadOptions(const ModelConfig& config, const BackendSettings& settings);

}  // namespace nereid::cuda
