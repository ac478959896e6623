#include "backends/cuda/passes/pass.h"

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {

absl::Status RunPasses(absl::Span<const Pass> passes, Graph& graph, int limit) {
  NEREID_RETURN_IF_ERROR(graph.Verify());
  for (const Pass& pass : passes) {
    if (limit-- == 0) break;
    absl::Status status = pass.run(graph);
    if (status.ok()) status = graph.Verify();
    if (status.ok()) continue;
    return absl::Status(status.code(), StrCat("pass ", pass.name, ": ", Message(status)));
  }
  return absl::OkStatus();
}

}  // namespace nereid::engine
