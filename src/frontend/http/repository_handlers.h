#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontend/http/http_environment.h"
#include "net/http_request.h"

namespace nereid {

// The repository extension. Loading and unloading answer when they are done, from any thread.
absl::StatusOr<std::string> RepositoryIndexBody(const HttpEnvironment& environment,
                                                const HttpRequest& request);
void HandleModelLoad(const HttpEnvironment& environment, HttpExchange exchange);
void HandleModelUnload(const HttpEnvironment& environment, HttpExchange exchange);

}  // namespace nereid
