#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "nereid/response.h"
#include "wire/outgoing_message.h"

namespace nereid {

// What a response says about the request it answers.
struct ResponseIdentity {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
};

// Writes a ModelInferResponse. Large outputs are not copied: the message refers to their bytes,
// which must be accessible to the host. INVALID_ARGUMENT when the message would exceed the size
// that gRPC can carry, INTERNAL for an output in device memory.
absl::StatusOr<OutgoingMessage> EncodeInferResponse(const ResponseIdentity& identity,
                                                    const InferResponse& response);

}  // namespace nereid
