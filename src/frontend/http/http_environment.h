#pragma once

#include <cstdint>

namespace nereid {

class HeaderForwarding;
class HttpExchange;
class InferenceServer;

// What handlers work with. Everything outlives every request.
struct HttpEnvironment {
  InferenceServer* server = nullptr;
  const HeaderForwarding* forwarding = nullptr;
  uint64_t max_input_size = 0;  // bytes of JSON, of a tensor in JSON, of decompressed data
};

// Answers one request, at once or later. Runs on the connection's loop and must not block.
using HttpHandlerFunction = void (*)(const HttpEnvironment& environment, HttpExchange exchange);

}  // namespace nereid
