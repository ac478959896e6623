#pragma once

#include "absl/status/statusor.h"
#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

// [batch, sequence, heads · size] as [batch, heads, sequence, size]; what is of rank 4 already is
// left as it is.
absl::StatusOr<HostTensor> SplitHeads(const HostTensor& x, int64_t heads);

// The way back, to rank 3.
HostTensor MergeHeads(const HostTensor& x);

}  // namespace nereid::engine
