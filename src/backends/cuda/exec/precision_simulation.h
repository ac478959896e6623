#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/exec/difference.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/ir/host_tensor.h"
#include "backends/cuda/lower/precision.h"

namespace nereid::engine {

// What a precision costs, found on the host.
struct SimulatedPrecision {
  std::vector<HostTensor> exact;  // outputs, by the reference executor
  std::vector<Difference> outputs;
  // The first node with a result that is not finite and should be, or, when an output exceeds the
  // bound, that exceeds it.
  std::optional<std::string> offender;
};

// Runs a graph of known shapes twice side by side, as it is and with every value rounded to the
// type a program of this precision keeps it in (and what products multiply to the type they
// multiply in), accumulating exactly both times. An estimate: a GPU rounds in other places, too.
absl::StatusOr<SimulatedPrecision> SimulatePrecision(const Graph& graph,
                                                     const PrecisionOptions& options,
                                                     absl::Span<const HostTensor> inputs,
                                                     double bound);

}  // namespace nereid::engine
