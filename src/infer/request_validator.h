#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "nereid/model_config.h"
#include "nereid/request.h"

namespace nereid {

// Checks a request against the model and completes it: links inputs and requested outputs to their
// specs, sets batch_size and config, turns request shapes into the shapes the backend sees
// (reshape). Texts and order of the checks: the protocol's error catalogue. The status message
// carries no request-id prefix for unknown tensor names and size overflows, and `[request id: <id>]
// ` otherwise. Nothing is allocated for a request that passes.
absl::Status ValidateRequest(const std::shared_ptr<const ModelConfig>& config,
                             InferRequest& request);

// INVALID_ARGUMENT when an input or a requested output is named twice. Part of ValidateRequest();
// on its own for whoever must refuse before the model is known.
absl::Status CheckTensorsNamedOnce(const InferRequest& request);

// "[request id: <id>] ", or with <id_unknown>.
std::string RequestIdPrefix(const InferRequest& request);

}  // namespace nereid
