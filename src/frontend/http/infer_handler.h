#pragma once

#include <cstdint>

#include "frontend/http/http_environment.h"
#include "net/http_request.h"
#include "net/http_response.h"

namespace nereid {

// Infer: from the body's bytes to an InferRequest on its way through the server.
void HandleInfer(const HttpEnvironment& environment, HttpExchange exchange);

// Bytes of body that an infer request with this head may have. Binary tensors are not limited by
// HttpEnvironment::max_input_size; JSON, raw inputs and compressed bodies are.
uint64_t MaxInferBodyBytes(const HttpEnvironment& environment, const HttpRequest& head);

// Bytes of JSON in front of the binary tensors, as the head declares them; 0 when it does not.
uint64_t InferJsonLength(const HttpRequest& head);

// The answer to a body of `size` bytes, above that.
HttpResponse InferBodyTooLarge(const HttpEnvironment& environment, const HttpRequest& head,
                               uint64_t size);

}  // namespace nereid
