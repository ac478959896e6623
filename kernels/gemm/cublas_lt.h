#pragma once

#include <memory>

#include "backends/cuda/device/context.h"

namespace nereid::engine {

// A handle of cuBLASLt; any thread.
class CublasLt {
 public:
  static absl::StatusOr<std::unique_ptr<CublasLt>> Create(std::shared_ptr<Context> context);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  const CublasLtApi& api() const { return *api_; }
  cublasLtHandle_t handle() const { return handle_; }

 private:
  CublasLt(std::shared_ptr<Context> context, const CublasLtApi* api, cublasLtHandle_t handle)
      : context_(std::move(context)), api_(api), handle_(handle) {}

  const std::shared_ptr<Context> context_;
  const CublasLtApi* const api_;
  const cublasLtHandle_t handle_;
};

}  // namespace nereid::engine
