#include "backends/cuda/passes/algebra.h"

#include "backends/cuda/passes/cleanup.h"
#include "backends/cuda/passes/decompose.h"
#include "backends/cuda/passes/fold_into_conv.h"
#include "backends/cuda/passes/fold_into_next_conv.h"
#include "backends/cuda/passes/fuse_attention.h"
#include "backends/cuda/passes/fuse_conv_epilogue.h"
#include "backends/cuda/passes/fuse_gelu.h"
#include "backends/cuda/passes/fuse_norm.h"
#include "backends/cuda/passes/fuse_pad.h"
#include "backends/cuda/passes/fuse_swish.h"
#include "backends/cuda/passes/select_branches.h"
#include "backends/cuda/passes/shape_inference.h"
#include "backends/cuda/passes/simplify_views.h"
#include "backends/cuda/passes/sink_expands.h"

namespace nereid::engine {
namespace {

constexpr Pass kLoadPasses[] = {
    {"identities", RemoveIdentities},
    {"constants", FoldConstants},
    {"common subexpressions", MergeCommonSubexpressions},
    {"shapes", InferShapes},
    {"pad", FusePad},
    {"into convolutions", FoldIntoConv},
    {"gelu", FuseGelu},
    {"swish", FuseSwish},
    {"norm", FuseNorm},
    {"dead code", RemoveDeadCode},
};

constexpr Pass kShapePasses[] = {
    {"branches", SelectBranches},
    {"decompositions", Decompose},
    {"constants", FoldConstants},
    {"identities", RemoveIdentities},
    {"common subexpressions", MergeCommonSubexpressions},
    {"pad", FusePad},
    {"into convolutions", FoldIntoConv},
    {"gelu", FuseGelu},
    {"swish", FuseSwish},
    {"into the next convolution", FoldIntoNextConv},
    {"norm", FuseNorm},
    {"expands", SinkExpands},
    {"views", SimplifyViews},
    {"attention", FuseAttention},
    {"convolution epilogues", FuseConvEpilogue},
    {"dead code", RemoveDeadCode},
};

}  // namespace

absl::Span<const Pass> LoadPasses() { return kLoadPasses; }

absl::Span<const Pass> ShapePasses() { return kShapePasses; }

}  // namespace nereid::engine
