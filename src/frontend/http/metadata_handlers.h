#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontend/http/http_environment.h"
#include "net/http_request.h"

namespace nereid {

// The bodies of the routes that describe the server and its models.
absl::StatusOr<std::string> ServerMetadataBody(const HttpEnvironment& environment,
                                               const HttpRequest& request);
absl::StatusOr<std::string> ModelMetadataBody(const HttpEnvironment& environment,
                                              const HttpRequest& request);
absl::StatusOr<std::string> ModelConfigBody(const HttpEnvironment& environment,
                                            const HttpRequest& request);
// Of one model, or of all when the path names none.
absl::StatusOr<std::string> StatisticsBody(const HttpEnvironment& environment,
                                           const HttpRequest& request);

}  // namespace nereid
