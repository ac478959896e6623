#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "kernels/cudnn/cudnn.h"

namespace nereid::engine {

// An engine configuration in words, "41 2:1 13:0 18:0": the engine's number and the choice for each
// of its knobs. `configuration` is one of a heuristic's results.
absl::StatusOr<std::string> DescribeEngineConfig(const CudnnApi& api,
                                                 const CudnnDescriptor& configuration);

// The configuration such words name, for an operation graph. `device_properties`: what the engine
// is to run on when the graph has no handle that says so, or nullptr. INVALID_ARGUMENT for words
// that make no sense; the library's error when the engine cannot do the graph.
absl::StatusOr<CudnnDescriptor> MakeEngineConfig(
    const CudnnApi& api, cudnnBackendDescriptor_t graph, std::string_view words,
    const CudnnDescriptor* device_properties = nullptr);

}  // namespace nereid::engine
