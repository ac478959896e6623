#include "frontend/http/absent_extensions.h"

namespace nereid {

absl::StatusOr<std::string> RefuseTracingBody(const HttpEnvironment& /*environment*/,
                                              const HttpRequest& /*request*/) {
  return absl::UnavailableError("the server does not support tracing");
}

absl::StatusOr<std::string> RefuseGenerateBody(const HttpEnvironment& /*environment*/,
                                               const HttpRequest& /*request*/) {
  return absl::UnimplementedError("the server does not support the generate extension");
}

}  // namespace nereid
