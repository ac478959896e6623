#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace nereid::engine {

// Device addresses and streams, as the driver's C interface has them.
using DevicePointer = uint64_t;
using DeviceStream = void*;

// One piece of work on the GPU for fixed types and shapes: a kernel, a library call, or a few of
// them. Made once per bucket; launched any number of times, also while a stream is captured into a
// graph. Launch() neither allocates nor synchronises. Immutable after construction.
class DeviceOp {
 public:
  virtual ~DeviceOp() = default;

  // Scratch memory that Launch() may use; the same block may serve every op of a stream.
  virtual size_t workspace_bytes() const { return 0; }
  // `inputs` and `outputs` are in the order of the op's factory; an input left out is 0. Outputs do
  // not overlap inputs unless in_place() says so.
  virtual absl::Status Launch(absl::Span<const DevicePointer> inputs,
                              absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                              DeviceStream stream) const = 0;
  // True when output 0 may be input 0's memory.
  virtual bool in_place() const { return false; }
  // Kernels this op launches, for the count of a plan.
  virtual int kernel_count() const { return 1; }
};

}  // namespace nereid::engine
