#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "nereid/buffer.h"
#include "nereid/model_config.h"
#include "nereid/response.h"
#include "wire/output_format.h"

namespace nereid {

// What a response says besides its outputs.
struct JsonResponseHead {
  std::string_view request_id;  // not sent when empty
  const ModelConfig* config = nullptr;
  int64_t model_version = 0;
};

// The body of an infer response: the JSON, followed by the binary tensors in order, which stay
// where they are.
struct JsonInferResponse {
  std::string json;
  absl::InlinedVector<Payload, 2> binary;
  size_t binary_size = 0;
};

// Writes a response that carries outputs (not an error). Outputs are taken from `response`. Errors
// are those of AppendJsonTensor() and Classify().
absl::StatusOr<JsonInferResponse> EncodeJsonResponse(const JsonResponseHead& head,
                                                     const OutputFormat& format,
                                                     InferResponse& response);

// Bytes of tensor data that EncodeJsonResponse() would have to turn into text: what decides
// whether encoding is a matter of nanoseconds or of milliseconds.
size_t BytesToConvert(const OutputFormat& format, const InferResponse& response);

// {"error":"<message>"}
std::string JsonError(std::string_view message);

}  // namespace nereid
