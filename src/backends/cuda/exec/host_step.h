#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/cuda/device/stream.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/lower/op_spec.h"

namespace nereid::engine {

// Runs a node on the host between two pieces of device work: waits for the stream, fetches the
// inputs, evaluates, and sends the outputs back.
absl::Status RunHostStep(const Graph& graph, const HostSpec& spec,
                         absl::Span<const DevicePointer> inputs,
                         absl::Span<const DevicePointer> outputs, const Stream& stream);

}  // namespace nereid::engine
