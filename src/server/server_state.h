#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nereid {

// The life of the server.
//
//   INITIALIZING ──initialised──▶ READY ──stop──▶ EXITING ──stopped──▶ STOPPED
//        │                                           ▲
//        ├──stop─────────────────────────────────────┘
//        └──failed──▶ FAILED_TO_INITIALIZE ──stop──▶ EXITING
enum class ServerState : uint8_t { kInitializing, kReady, kFailedToInitialize, kExiting, kStopped };
inline constexpr int kServerStateCount = 5;

enum class ServerEvent : uint8_t { kInitialized, kFailed, kStop, kStopped };
inline constexpr int kServerEventCount = 4;

// The state after `event`, or nothing when the event cannot happen in `state`.
std::optional<ServerState> NextState(ServerState state, ServerEvent event);

// "READY", for logs.
std::string_view ServerStateName(ServerState state);

}  // namespace nereid
