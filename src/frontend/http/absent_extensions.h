#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontend/http/http_environment.h"
#include "net/http_request.h"

namespace nereid {

// Answers of the extensions that this server does not have.

// No region is ever registered: an empty list, or NOT_FOUND for a region by name.
absl::StatusOr<std::string> SystemSharedMemoryStatusBody(const HttpEnvironment& environment,
                                                         const HttpRequest& request);
absl::StatusOr<std::string> CudaSharedMemoryStatusBody(const HttpEnvironment& environment,
                                                       const HttpRequest& request);
// Registering and unregistering.
absl::StatusOr<std::string> RefuseSharedMemoryBody(const HttpEnvironment& environment,
                                                   const HttpRequest& request);
absl::StatusOr<std::string> RefuseTracingBody(const HttpEnvironment& environment,
                                              const HttpRequest& request);
absl::StatusOr<std::string> RefuseGenerateBody(const HttpEnvironment& environment,
                                               const HttpRequest& request);

}  // namespace nereid
