#pragma once

#include "frontend/http/http_environment.h"

namespace nereid {

// 200 or 400 with an empty body; an error body while the server exits.
void HandleServerLive(const HttpEnvironment& environment, HttpExchange exchange);
void HandleServerReady(const HttpEnvironment& environment, HttpExchange exchange);
// 200 with an empty body, or the reason why not.
void HandleModelReady(const HttpEnvironment& environment, HttpExchange exchange);

}  // namespace nereid
