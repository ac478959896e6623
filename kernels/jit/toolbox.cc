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

absl::StatusOr<CublasLt*> Toolbox::cublas_lt() { return CublasLt::Of(*context_); }

absl::StatusOr<Cudnn*> Toolbox::cudnn() {
  NEREID_ASSIGN_OR_RETURN(Cudnn * library, Cudnn::Of(*context_));
  library->plans().SetLimit(options_.max_kept_plans);
  return library;
}

}  // namespace nereid::engine
