#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontend/http/http_environment.h"
#include "net/http_request.h"

namespace nereid {

// The logging extension: the settings of the process's log.
absl::StatusOr<std::string> LogSettingsBody(const HttpEnvironment& environment,
                                            const HttpRequest& request);
// Applies the body's settings one by one (those in front of a faulty one stay) and answers as
// above.
absl::StatusOr<std::string> UpdateLogSettingsBody(const HttpEnvironment& environment,
                                                  const HttpRequest& request);

}  // namespace nereid
