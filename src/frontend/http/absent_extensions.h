#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontend/http/http_environment.h"
#include "net/http_request.h"

namespace nereid {

// Answers of the extensions that this server does not have.

absl::StatusOr<std::string> RefuseTracingBody(const HttpEnvironment& environment,
                                              const HttpRequest& request);
absl::StatusOr<std::string> RefuseGenerateBody(const HttpEnvironment& environment,
                                               const HttpRequest& request);

}  // namespace nereid
