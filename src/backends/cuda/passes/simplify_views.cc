#include "backends/cuda/passes/simplify_views.h"

#include "backends/cuda/passes/cleanup.h"
#include "backends/cuda/passes/move_views.h"
#include "backends/cuda/passes/simplify_reshapes.h"
#include "backends/cuda/passes/simplify_transposes.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// What moves in the first round may meet something else in the second.
constexpr int kRounds = 2;

}  // namespace

absl::Status SimplifyViews(Graph& graph) {
  NEREID_RETURN_IF_ERROR(SimplifyReshapes(graph));
  for (int round = 0; round < kRounds; ++round) {
    NEREID_RETURN_IF_ERROR(SimplifyTransposes(graph));
    NEREID_RETURN_IF_ERROR(MoveViews(graph));
    NEREID_RETURN_IF_ERROR(SimplifyReshapes(graph));
  }
  NEREID_RETURN_IF_ERROR(SimplifyTransposes(graph));
  return MergeCommonSubexpressions(graph);
}

}  // namespace nereid::engine
