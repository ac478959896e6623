#pragma once

#include <onnxruntime_cxx_api.h>

#include <memory>

#include "absl/status/statusor.h"
#include "nereid/backend.h"

namespace nereid::ort {

// ONNX Runtime's process-wide state: its log, which goes to ours, and the thread pool that sessions
// share when the backend setting `enable-global-threadpool` is on (then sized by
// `intra_op_thread_count` and `inter_op_thread_count`). Outlives every session. Any thread.
class Environment {
 public:
  static absl::StatusOr<std::shared_ptr<Environment>> Create(const BackendSettings& settings);

  const Ort::Env& env() const { return env_; }
  bool has_global_thread_pool() const { return has_global_thread_pool_; }

 private:
  Environment(Ort::Env env, bool has_global_thread_pool)
      : env_(std::move(env)), has_global_thread_pool_(has_global_thread_pool) {}

  const Ort::Env env_;
  const bool has_global_thread_pool_;
};

}  // namespace nereid::ort
