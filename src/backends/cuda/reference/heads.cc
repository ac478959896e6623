#include "backends/cuda/reference/heads.h"

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {

absl::StatusOr<HostTensor> SplitHeads(const HostTensor& x, int64_t heads) {
  if (x.shape().size() == 4) return x;
  if (x.shape().size() != 3 || heads < 1 || x.shape()[2] % heads != 0) {
    return Refuse("shape ", ShapeToString(x.shape()), " does not make ", heads, " heads");
  }
  const int64_t batch = x.shape()[0];
  const int64_t sequence = x.shape()[1];
  const int64_t hidden = x.shape()[2];
  const int64_t size = hidden / heads;
  return CopyStrided(x, 0, {batch, heads, sequence, size}, {sequence * hidden, size, hidden, 1});
}

HostTensor MergeHeads(const HostTensor& x) {
  const Shape& s = x.shape();
  const HostTensor moved =
      CopyStrided(x, 0, {s[0], s[2], s[1], s[3]}, {s[1] * s[2] * s[3], s[3], s[2] * s[3], 1});
  return moved.Reshaped({s[0], s[2], s[1] * s[3]});
}

}  // namespace nereid::engine
