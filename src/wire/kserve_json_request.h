#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "infer/shared_tensors.h"
#include "nereid/model_config.h"
#include "nereid/request.h"
#include "wire/output_format.h"

namespace nereid {

// Bytes that must be readable behind the end of every body.
inline constexpr size_t kJsonPadding = 64;

// Bounds on what one request may say. Numbers of entries are bounded because each costs many times
// the bytes that it takes on the wire.
struct JsonInferLimits {
  uint64_t max_input_size = uint64_t{64} << 20;  // JSON text, and each tensor written in JSON
  size_t max_tensors = 4096;                     // inputs, and likewise outputs
  size_t max_parameters = 1024;
  size_t max_dims = 256;
};

// A body of an infer request, uncompressed. Tensors in the binary section become views into it.
struct JsonInferBody {
  std::shared_ptr<const void> owner;
  std::string_view bytes;
  size_t json_size = 0;  // the JSON part at the start; the binary section follows
  bool is_raw = false;   // no JSON: all of it is the content of the only input
};

// Divides a body, given the value of Inference-Header-Content-Length if there is one.
// INVALID_ARGUMENT when that is not a length that the body has.
absl::StatusOr<JsonInferBody> DivideInferBody(std::shared_ptr<const void> owner,
                                              std::string_view bytes,
                                              std::optional<std::string_view> header_length);

// Reads the body into `request` and says in `format` how its outputs are to be sent. Binary tensors
// are never copied; tensors in JSON are written straight into blocks of their own. What is checked
// here is what the text says by itself; the model has its say in ValidateRequest(). Errors carry
// the protocol's texts: INTERNAL for what the JSON is not, INVALID_ARGUMENT otherwise.
//
// `request` keeps alive everything it refers to: the body, and the names in `config`. Tensors in
// shared memory go through `shared`; without it every region is unknown.
absl::Status DecodeInferBody(const JsonInferBody& body,
                             const std::shared_ptr<const ModelConfig>& config,
                             const JsonInferLimits& limits, InferRequest& request,
                             OutputFormat& format, SharedTensors* shared = nullptr);

// The refusals for bodies above JsonInferLimits::max_input_size, for
// whoever knows the size before the body has arrived.
absl::Status JsonTooLarge(uint64_t byte_size, uint64_t limit);
absl::Status RawInputTooLarge(uint64_t byte_size, uint64_t limit);

}  // namespace nereid
