#pragma once

#include "backends/cuda/device/context.h"

namespace nereid::engine {

// The handle of cuBLASLt on one GPU, shared by all engines there, as long as its context: one that
// is made and destroyed leaves memory on the GPU behind. Any thread.
class CublasLt final : public ContextResource {
 public:
  // Made on first use.
  static absl::StatusOr<CublasLt*> Of(Context& context);
  ~CublasLt() override;
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  const CublasLtApi& api() const { return *api_; }
  cublasLtHandle_t handle() const { return handle_; }

 private:
  CublasLt(const Context& context, const CublasLtApi* api, cublasLtHandle_t handle)
      : context_(context), api_(api), handle_(handle) {}

  const Context& context_;  // owns this
  const CublasLtApi* const api_;
  const cublasLtHandle_t handle_;
};

}  // namespace nereid::engine
