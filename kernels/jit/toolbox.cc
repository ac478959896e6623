#include "kernels/jit/toolbox.h"

#include <utility>

#include "common/status_macros.h"
#include "kernels/cudnn/cudnn.h"
#include "kernels/gemm/cublas_lt.h"

namespace nereid::engine {

Toolbox::Toolbox(std::shared_ptr<Context> context, Options options)
    : context_(std::move(context)), options_(std::move(options)) {}

Toolbox::~Toolbox() = default;

absl::StatusOr<std::unique_ptr<Toolbox>> Toolbox::Create(std::shared_ptr<Context> context,
                                                         Options options) {
  std::unique_ptr<Toolbox> toolbox(new Toolbox(std::move(context), std::move(options)));
  NEREID_ASSIGN_OR_RETURN(toolbox->jit_, Jit::Create(toolbox->context_, toolbox->options_.store));
  toolbox->tactics_ = std::make_unique<Tactics>(*toolbox->context_, toolbox->options_.store);
  return toolbox;
}

absl::StatusOr<CublasLt*> Toolbox::cublas_lt() {
  const std::lock_guard lock(mutex_);
  if (cublas_lt_ == nullptr) {
    NEREID_ASSIGN_OR_RETURN(cublas_lt_, CublasLt::Create(context_));
  }
  return cublas_lt_.get();
}

absl::StatusOr<Cudnn*> Toolbox::cudnn() {
  const std::lock_guard lock(mutex_);
  if (cudnn_ == nullptr) {
    NEREID_ASSIGN_OR_RETURN(cudnn_, Cudnn::Create(context_));
  }
  return cudnn_.get();
}

}  // namespace nereid::engine
