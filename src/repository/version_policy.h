#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace inference {
class ModelVersionPolicy;
}

namespace nereid {

struct VersionSelection {
  std::vector<int64_t> serve;    // ascending, without repetition
  std::vector<int64_t> missing;  // asked for by number and not available; ascending
};

// Which of the `available` versions (ascending) `policy` wants served. A policy without a choice
// takes all; `latest` of none selects none.
VersionSelection SelectVersions(absl::Span<const int64_t> available,
                                const inference::ModelVersionPolicy& policy);

}  // namespace nereid
