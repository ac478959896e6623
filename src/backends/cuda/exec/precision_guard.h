#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/exec/difference.h"
#include "backends/cuda/exec/engine.h"
#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

// Whether nothing is kept in, or multiplied with, fewer bits than fp32 has.
bool IsExact(const PrecisionOptions& precision);

// What a model loses by its precision, on one GPU and some inputs.
struct PrecisionReport {
  std::vector<Difference> outputs;      // from what it gives in fp32
  std::optional<std::string> offender;  // first node to blame, where an output exceeds the bound
};

// Runs the model as its options say and in fp32 on the same inputs. Takes as long as making a few
// programs; the engine keeps none of them.
absl::StatusOr<PrecisionReport> ComparePrecision(Engine& engine,
                                                 absl::Span<const HostTensor> inputs, double bound);

// FAILED_PRECONDITION, naming output and node, when the model's outputs on random inputs of these
// shapes differ from fp32 by more than `bound`, or are not finite where they should be.
absl::Status GuardPrecision(Engine& engine, absl::Span<const Shape> shapes, double bound);

}  // namespace nereid::engine
