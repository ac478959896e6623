#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/cuda/device/stream.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/lower/op_spec.h"

namespace nereid::engine {

// The tensors of one run that lie on the host, by slot (lower/op_spec.h).
using HostSlots = std::vector<HostTensor>;

// What a node on the host takes, one after the other. Inputs that no step before it has fetched are
// fetched, which waits for the stream.
absl::Status FetchOperands(const Graph& graph, const HostSpec& spec,
                           absl::Span<const DevicePointer> inputs, const Stream& stream,
                           HostSlots& slots);
// The node is evaluated. A failure names it, and is one of what the tensors hold: the device has no
// part in it.
absl::Status Evaluate(const Graph& graph, const HostSpec& spec, HostSlots& slots);
// What steps on the device read is sent there.
absl::Status SendResults(const HostSpec& spec, absl::Span<const DevicePointer> outputs,
                         const Stream& stream, const HostSlots& slots);

}  // namespace nereid::engine
