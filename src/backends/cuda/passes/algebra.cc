#include "backends/cuda/passes/algebra.h"

#include <array>

#include "backends/cuda/passes/cleanup.h"
#include "backends/cuda/passes/fold_into_conv.h"
#include "backends/cuda/passes/fuse_attention.h"
#include "backends/cuda/passes/fuse_conv_epilogue.h"
#include "backends/cuda/passes/fuse_gelu.h"
#include "backends/cuda/passes/fuse_norm.h"
#include "backends/cuda/passes/fuse_pad.h"
#include "backends/cuda/passes/fuse_swish.h"
#include "backends/cuda/passes/merge_products.h"
#include "backends/cuda/passes/simplify_reshapes.h"
#include "backends/cuda/passes/simplify_transposes.h"

namespace nereid::engine {
namespace {

constexpr std::array kPasses = std::to_array<Pass>({
    {"remove-identities", RemoveIdentities},
    {"merge-common-subexpressions", MergeCommonSubexpressions},
    {"simplify-reshapes", SimplifyReshapes},
    {"fold-into-conv", FoldIntoConv},
    {"fuse-pad", FusePad},
    {"fuse-swish", FuseSwish},
    {"fuse-gelu", FuseGelu},
    {"fuse-norm", FuseNorm},
    {"fuse-attention", FuseAttention},
    {"simplify-transposes", SimplifyTransposes},
    {"simplify-reshapes", SimplifyReshapes},
    {"merge-products", MergeProducts},
    {"fuse-conv-epilogue", FuseConvEpilogue},
    {"merge-common-subexpressions", MergeCommonSubexpressions},
    {"remove-dead-code", RemoveDeadCode},
});

}  // namespace

absl::Span<const Pass> AlgebraPasses() { return kPasses; }

}  // namespace nereid::engine
