#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "nereid/model_config.h"
#include "nereid/request.h"

namespace nereid {

// What messages call the input of a binary body that came without a description.
inline constexpr std::string_view kRawInputName = "raw_input";

// Completes the only input of a request with is_raw_input: name, type and shape come from the
// model, with a batch of one and the variable extent, if there is one, taken from the byte count
// (rounded down). The body of a BYTES model is one element and gets its length put in front.
// INVALID_ARGUMENT when the model leaves more open than that; messages carry no prefix.
absl::Status DeduceRawInput(const ModelConfig& config, InferRequest& request);

}  // namespace nereid
