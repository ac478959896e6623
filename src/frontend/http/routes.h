#pragma once

#include <cstdint>
#include <vector>

#include "frontend/http/http_environment.h"
#include "net/router.h"

namespace nereid {

// Route::max_body_bytes of a route whose limit depends on the request's headers.
inline constexpr uint64_t kBodyLimitedByHead = UINT64_MAX;

// Every route of the HTTP port. `environment` outlives the routes.
std::vector<Route> HttpRoutes(const HttpEnvironment& environment);

}  // namespace nereid
