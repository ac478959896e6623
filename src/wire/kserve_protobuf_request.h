#pragma once

#include "absl/status/status.h"
#include "infer/shared_tensors.h"
#include "nereid/request.h"
#include "wire/kserve_protobuf_message.h"

namespace nereid {

// From a parsed ModelInferRequest to an InferRequest, in two steps, between which the caller adds
// the parameters it forwards from metadata. Both fail with the protocol's texts and codes.

// Sets storage, id, parameters and what the known parameters mean; refuses names that occur twice.
absl::Status AddRequestParameters(const InferMessage& message, InferRequest& request);

// Sets inputs and requested outputs. Raw data stays in the message's bytes. Tensors in shared
// memory go through `shared`; without it every region is unknown.
absl::Status AddTensors(const InferMessage& message, InferRequest& request,
                        SharedTensors* shared = nullptr);

}  // namespace nereid
