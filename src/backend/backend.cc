#include "nereid/backend.h"

namespace nereid {

absl::StatusOr<ConfigProposal> Backend::CompleteConfig(const ModelContext&) {
  return ConfigProposal{};
}

absl::StatusOr<MemoryEstimate> Backend::EstimateMemory(const ModelContext&) {
  return MemoryEstimate{};
}

}  // namespace nereid
