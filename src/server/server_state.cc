#include "server/server_state.h"

#include <array>
#include <cstddef>

namespace nereid {
namespace {

using enum ServerState;
using Row = std::optional<ServerState>[kServerEventCount];
constexpr std::nullopt_t kNo = std::nullopt;

// One row a state, one column an event: initialised, failed, stop, stopped.
constexpr Row kTransitions[kServerStateCount] = {
    /* INITIALIZING         */ {kReady, kFailedToInitialize, kExiting, kNo},
    /* READY                */ {kNo, kNo, kExiting, kNo},
    /* FAILED_TO_INITIALIZE */ {kNo, kNo, kExiting, kNo},
    /* EXITING              */ {kNo, kNo, kNo, kStopped},
    /* STOPPED              */ {kNo, kNo, kNo, kNo},
};

constexpr std::array<std::string_view, kServerStateCount> kNames = {
    "INITIALIZING", "READY", "FAILED_TO_INITIALIZE", "EXITING", "STOPPED"};

}  // namespace

std::optional<ServerState> NextState(ServerState state, ServerEvent event) {
  return kTransitions[static_cast<size_t>(state)][static_cast<size_t>(event)];
}

std::string_view ServerStateName(ServerState state) { return kNames[static_cast<size_t>(state)]; }

}  // namespace nereid
