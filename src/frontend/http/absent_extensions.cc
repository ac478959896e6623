#include "frontend/http/absent_extensions.h"

#include <string_view>

#include "common/strings.h"

namespace nereid {
namespace {

absl::StatusOr<std::string> RegionStatus(std::string_view kind, const HttpRequest& request) {
  const std::string_view region = request.route.Get("region");
  if (region.empty()) return std::string("[]");
  return absl::NotFoundError(
      StrCat("Unable to find ", kind, " shared memory region: '", region, "'"));
}

}  // namespace

absl::StatusOr<std::string> SystemSharedMemoryStatusBody(const HttpEnvironment& /*environment*/,
                                                         const HttpRequest& request) {
  return RegionStatus("system", request);
}

absl::StatusOr<std::string> CudaSharedMemoryStatusBody(const HttpEnvironment& /*environment*/,
                                                       const HttpRequest& request) {
  return RegionStatus("cuda", request);
}

absl::StatusOr<std::string> RefuseSharedMemoryBody(const HttpEnvironment& /*environment*/,
                                                   const HttpRequest& /*request*/) {
  return absl::UnimplementedError(
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to "
      "enable.");
}

absl::StatusOr<std::string> RefuseTracingBody(const HttpEnvironment& /*environment*/,
                                              const HttpRequest& /*request*/) {
  return absl::UnavailableError("the server does not support tracing");
}

absl::StatusOr<std::string> RefuseGenerateBody(const HttpEnvironment& /*environment*/,
                                               const HttpRequest& /*request*/) {
  return absl::UnimplementedError("the server does not support the generate extension");
}

}  // namespace nereid
