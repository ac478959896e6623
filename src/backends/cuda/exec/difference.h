#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

// How far a tensor is from what it should be. Elements that are NaN or infinite in both count as
// equal.
struct Difference {
  std::string name;
  Shape shape;
  double relative = 0;  // ‖got − want‖ / ‖want‖ over the finite elements; ‖got‖ where want is 0
  double largest = 0;      // of |got − want|
  double rms = 0;          // of what it should be
  int64_t not_finite = 0;  // elements that are NaN or infinite and should not be, or the reverse
  // Of another shape or type (extents may depend on data), or of other strings: `got` says what is
  // there, and the numbers say nothing.
  bool differs_in_kind = false;
  Shape got;

  bool Exceeds(double bound) const {
    return differs_in_kind || not_finite > 0 || !(relative <= bound);
  }
};

Difference Compare(std::string name, const HostTensor& got, const HostTensor& want);

// The same for all outputs of a graph.
std::vector<Difference> CompareOutputs(const Graph& graph, absl::Span<const HostTensor> got,
                                       absl::Span<const HostTensor> want);

bool AnyExceeds(absl::Span<const Difference> differences, double bound);

// "output y [1,2]: relative difference 0.0008, largest 0.00054, rms of the reference 0.55".
std::string Describe(const Difference& difference);

}  // namespace nereid::engine
