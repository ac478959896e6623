#pragma once

#include <cstdint>
#include <string_view>

#include "frontend/grpc/rpc_call.h"

namespace nereid {

class HeaderForwarding;
class InferenceServer;

// What handlers work with. Everything outlives every call.
struct RpcEnvironment {
  InferenceServer* server = nullptr;
  const HeaderForwarding* forwarding = nullptr;
};

// How many messages each side sends.
enum class RpcShape : uint8_t { kUnary, kStream };

// One row of the method table.
struct RpcMethod {
  const char* name;           // "/package.Service/Method"
  std::string_view category;  // for restrictions: "health", "inference", …
  RpcShape shape = RpcShape::kUnary;
  // Answers the call, at once or later. Runs on a thread of the transport and must not block.
  void (*handle)(const RpcEnvironment& environment, RpcCallHandle call) = nullptr;
  // Calls that the transport keeps ready for this method on each of its queues.
  int ready_calls = 1;
  // Whether the option for compressed responses applies.
  bool compressible = false;
};

}  // namespace nereid
