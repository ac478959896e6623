#pragma once

#include <onnxruntime_cxx_api.h>

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "nereid/model_config.h"

namespace nereid::ort {

// What a model's configuration asks of ONNX Runtime: `parameters`, `optimization.graph.level` and
// execution accelerators.
struct Options {
  Ort::SessionOptions session;
  // Entries of every instance's run options.
  std::map<std::string, std::string> run_entries;
};

// INVALID_ARGUMENT for values that make no sense, and for an accelerator that this build cannot
// use. With a global thread pool the model's own thread counts are ignored.
absl::StatusOr<Options> ReadOptions(const ModelConfig& config, bool global_thread_pool);

}  // namespace nereid::ort
