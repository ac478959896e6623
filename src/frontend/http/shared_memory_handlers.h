#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontend/http/http_environment.h"
#include "net/http_exchange.h"
#include "net/http_request.h"

namespace nereid {

// The shared-memory extensions: clients register regions, which then stand for tensors.

// A list of regions: the one in the path, or all of the kind.
absl::StatusOr<std::string> SystemSharedMemoryStatusBody(const HttpEnvironment& environment,
                                                         const HttpRequest& request);
absl::StatusOr<std::string> CudaSharedMemoryStatusBody(const HttpEnvironment& environment,
                                                       const HttpRequest& request);

// Refuse whatever the body says where clients may not register regions. Unregistering concerns the
// region in the path, or all of the kind.
void HandleSystemSharedMemoryRegister(const HttpEnvironment& environment, HttpExchange exchange);
void HandleSystemSharedMemoryUnregister(const HttpEnvironment& environment, HttpExchange exchange);
void HandleCudaSharedMemoryRegister(const HttpEnvironment& environment, HttpExchange exchange);
void HandleCudaSharedMemoryUnregister(const HttpEnvironment& environment, HttpExchange exchange);

}  // namespace nereid
